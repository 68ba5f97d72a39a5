use super::*;

fn chart(series: Vec<Series<'static>>) -> Chart<'static> {
    Chart {
        label: "throughput",
        x: Axis::linear(10.0, "requests/s", |v| v.to_string()),
        y: Axis::logarithmic(0.1, 9.0, "ms"),
        series,
        marks: Vec::new(),
        marks_name: None,
        bands: Vec::new(),
        bands_name: None,
        tips: Vec::new(),
    }
}

fn series(points: &[(f64, f64)], shape: Shape) -> Series<'static> {
    Series { name: "a<b", colour: "p50", points: points.to_vec(), shape }
}

#[test]
fn every_shape_is_drawn_at_both_sizes() {
    let points = [(0.0, 0.1), (5.0, 1.0), (10.0, 10.0)];
    for (shape, element, count) in [
        (Shape::Line, "<polyline", 2),
        (Shape::Area(vec![0.1; 3]), "<polygon", 2),
        (Shape::Points, "<circle", 6),
    ] {
        let html = chart(vec![series(&points, shape)]).html();
        assert_eq!(html.matches(element).count(), count, "{html}");
        assert!(html.contains("a&lt;b"));
    }
    let html = chart(vec![series(&points, Shape::Line)]).html();
    assert!(html.contains("points=\"62.0,222.0 526.0,124.0 990.0,26.0\""), "{html}");
}

#[test]
fn tips_and_marks_stand_at_their_places() {
    let chart = Chart {
        tips: vec![Tip { x: 5.0, lines: vec!["\"five\"".to_owned(), "<5>".to_owned()] }],
        marks: vec![Mark { x: 2.5, title: "2.5 s".to_owned(), label: "✕".to_owned() }],
        marks_name: Some("killed"),
        bands: vec![Band { from: 2.0, to: 4.0, title: "slow".to_owned() }],
        bands_name: Some("fault"),
        ..chart(vec![series(&[(1.0, 1.0)], Shape::Line)])
    };
    let html = chart.html();
    assert!(
        html.contains(
            "data-tips=\"[[0.5,&quot;\\&quot;five\\&quot;&quot;,&quot;&lt;5&gt;&quot;]]\""
        )
    );
    assert!(html.contains("class=\"band\" x=\"247.6\" y=\"26\" width=\"185.6\""), "{html}");
    assert!(html.contains("<title>2.5 s</title>") && html.contains("x1=\"294.0\""), "{html}");
    assert_eq!(html.matches("<circle").count(), 2, "a lone value is a point: {html}");
}

#[test]
fn nothing_to_draw_is_no_failure() {
    let empty = Chart { x: Axis::time(0.0), ..chart(Vec::new()) };
    assert_eq!(empty.html().matches("<svg").count(), 2);
    assert!(!empty.html().contains("NaN"));
}
