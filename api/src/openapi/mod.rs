//! The description of our own API (OpenAPI 3.1), made from the route table, the operations and the schemas.
//!
//! `operations` says what each route takes and gives; who may use it comes from the route table itself, so the two
//! cannot disagree. A test holds the table against both, and another holds real answers against the schemas.

mod operations;
mod schemas;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use self::operations::{Answer, OPERATIONS, Operation, Parameter};
use crate::auth::access::Access;
use crate::router;

/// The whole document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (path, access) in router::paths() {
        let of_path: Map<String, Value> = OPERATIONS
            .iter()
            .filter(|operation| operation.path == path)
            .map(|operation| (operation.method.to_owned(), described(operation, access)))
            .collect();
        if !of_path.is_empty() {
            paths.insert(path.to_owned(), of_path.into());
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Thumbline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Where every representation of every file stands. The Box and Jira APIs that this server \
                answers beside it are described by their vendors, and what of them is served in docs/COMPATIBILITY.md.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "A token of `thumbline token create`, \
                    the operator's token, or an access token of the configured identity provider." },
                "basic": { "type": "http", "scheme": "basic", "description": "An e-mail address with one of its \
                    tokens, or with its password." },
            },
        },
    })
}

fn described(operation: &Operation, access: Access) -> Value {
    let mut value = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": answers(operation, access),
        "security": security(access),
    });
    if !operation.parameters.is_empty() {
        value["parameters"] = operation.parameters.iter().map(parameter).collect();
    }
    if let Some(schema) = operation.body {
        let content = json!({ "application/json": { "schema": reference(schema) } });
        value["requestBody"] = json!({ "required": true, "content": content });
    }
    value
}

/// Reads may be tried without a credential: some files are everybody's.
fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        Access::Operator => json!([{ "bearer": [] }, { "basic": [] }]),
        Access::Caller(_) | Access::File(_) | Access::Route(_) => json!([{}, { "bearer": [] }, { "basic": [] }]),
    }
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": if parameter.is_in_path { "path" } else { "query" },
        "required": parameter.is_in_path,
        "description": parameter.description,
        "schema": serde_json::from_str::<Value>(parameter.schema).unwrap_or_default(),
    })
}

/// What the operation answers by itself, and what can happen on any route of its class.
fn answers(operation: &Operation, access: Access) -> Map<String, Value> {
    let mut answers: Map<String, Value> =
        operation.answers.iter().map(|answer| (answer.status.to_string(), good(answer))).collect();
    let mut may_fail = |status: &str, description: &str| {
        let content = json!({ "application/problem+json": { "schema": reference("Problem") } });
        answers.insert(status.to_owned(), json!({ "description": description, "content": content }));
    };
    if access == Access::Public {
        return answers;
    }
    may_fail("401", "No credential where one is needed, or one that is wrong, expired or revoked.");
    may_fail("403", "The credential's scopes do not include this, or a page of another site sent the request.");
    may_fail("503", "A dependency is away; `Retry-After` says when to try again.");
    if operation.parameters.iter().any(|parameter| !parameter.is_in_path) || operation.body.is_some() {
        may_fail("400", "The request is not understood; `detail` says what would be.");
    }
    if operation.parameters.iter().any(|parameter| parameter.is_in_path) {
        may_fail("404", "There is no such thing, or it is not shown to the caller.");
    }
    answers
}

fn good(answer: &Answer) -> Value {
    let mut value = json!({ "description": answer.description });
    if let Some((media_type, schema)) = answer.content {
        value["content"] = json!({ media_type: { "schema": reference(schema) } });
    }
    value
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}
