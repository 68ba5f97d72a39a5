//! Links that the lab holds: `/v1/links` and what is below it.

use serde_json::json;

use super::{Answer, Asked, END_PATIENCE, document};
use crate::{Denied, HeldLink, Lab, LinkRequest, MakeLinkError, Until};

pub(super) fn all(lab: &Lab) -> Answer {
    let links = lab.links().map(|links| links.all()).unwrap_or_default();
    Answer::new(200, &links)
}

pub(super) fn one(lab: &Lab, asked: &Asked, method: &str, name: &str) -> Result<Answer, Denied> {
    match method {
        "GET" => Ok(match lab.links().and_then(|links| links.get(name)) {
            Some(link) => tell(lab, &link),
            None => unknown(name),
        }),
        "PUT" => make(lab, asked, name),
        "DELETE" => remove(lab, asked, name),
        _ => Ok(Answer::not_allowed("GET, PUT, DELETE")),
    }
}

fn unknown(name: &str) -> Answer {
    Answer::error(404, &format!("the lab holds no link `{name}`"))
}

/// With what it has counted.
fn tell(lab: &Lab, link: &HeldLink) -> Answer {
    let mut answer = Answer::new(200, link);
    answer.document["counts"] = json!(lab.links().and_then(|it| it.counts(&link.place.name)));
    answer
}

fn make(lab: &Lab, asked: &Asked, name: &str) -> Result<Answer, Denied> {
    let request: LinkRequest = if asked.body.is_empty() {
        LinkRequest::default()
    } else {
        match document(asked) {
            Ok(request) => request,
            Err(answer) => return Ok(answer),
        }
    };
    Ok(match lab.make_link(&asked.caller, name, &request)? {
        Ok((link, is_new)) => Answer::new(if is_new { 201 } else { 200 }, &link),
        Err(error) => {
            let status = match error {
                MakeLinkError::Name(_) => 400,
                MakeLinkError::Differs(_) => 409,
                MakeLinkError::TooMany => 429,
                MakeLinkError::Failed(_) => 500,
            };
            Answer::error(status, &error.to_string())
        }
    })
}

/// What is injected there is taken back first, so that it ends as everything else does.
fn remove(lab: &Lab, asked: &Asked, name: &str) -> Result<Answer, Denied> {
    let ids = lab.stop_on_link(&asked.caller, name)?;
    lab.wait(&ids, Until::Ended, END_PATIENCE);
    Ok(if lab.remove_link(&asked.caller, name)? {
        Answer::new(200, &json!({"removed": name, "reverted": ids}))
    } else {
        unknown(name)
    })
}
