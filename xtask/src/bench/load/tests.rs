use super::{Measured, parse_h2load, parse_wrk};

const WRK: &str = "\
Running 1s test @ http://127.0.0.1:18001/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   521.36us  213.73us   5.21ms   91.88%
    Req/Sec   119.37k    13.63k  138.13k    50.00%
  Latency Distribution
     50%  487.00us
     75%  545.00us
     90%  690.00us
     99%    1.27ms
  119287 requests in 1.01s, 135.03MB read
Requests/sec: 118290.12
Transfer/sec:    133.90MB
";

const H2LOAD: &str = "\
finished in 1.50s, 552192.00 req/s, 589.81MB/s
requests: 552192 total, 552512 started, 552192 done, 552192 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 552192 2xx, 0 3xx, 0 4xx, 0 5xx
";

#[test]
fn wrk_is_read() {
    let expected = Measured { requests: 119_287, seconds: 1.01, p50_ms: 0.487, p99_ms: 1.27 };
    assert_eq!(parse_wrk(WRK).unwrap(), expected);
}

#[test]
fn h2load_is_read() {
    assert_eq!(parse_h2load(H2LOAD).unwrap(), (552_192, 1.5));
}

#[test]
fn a_single_wrong_answer_is_an_error() {
    let bad = format!("{WRK}  Non-2xx or 3xx responses: 1\n");
    assert!(parse_wrk(&bad).is_err());
    assert!(parse_h2load(&H2LOAD.replace("0 errored", "1 errored")).is_err());
    assert!(parse_h2load(&H2LOAD.replace("0 5xx", "1 5xx")).is_err());
}
