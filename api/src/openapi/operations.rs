//! Every operation of our own API: what it takes and what it gives.

/// One method of one route.
pub(super) struct Operation {
    /// In lower case, as OpenAPI has it.
    pub(super) method: &'static str,
    /// As the route table has it.
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [Parameter],
    /// The schema of the JSON body, if it takes one.
    pub(super) body: Option<&'static str>,
    /// The answers that are not problems.
    pub(super) answers: &'static [Answer],
}

/// A parameter in the path or the query.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) is_in_path: bool,
    pub(super) description: &'static str,
    /// JSON Schema, as text.
    pub(super) schema: &'static str,
}

/// One way in which an operation may go well.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    /// Media type and schema.
    pub(super) content: Option<(&'static str, &'static str)>,
}

const JSON: &str = "application/json";

const fn json(schema: &'static str, description: &'static str) -> Answer {
    Answer { status: 200, description, content: Some((JSON, schema)) }
}

const fn in_path(name: &'static str, description: &'static str, schema: &'static str) -> Parameter {
    Parameter { name, is_in_path: true, description, schema }
}

const fn in_query(name: &'static str, description: &'static str, schema: &'static str) -> Parameter {
    Parameter { name, is_in_path: false, description, schema }
}

/// A decimal below 2^53.
const FILE: Parameter = in_path("file", "The file's id.", r#"{"type":"string","pattern":"^[1-9][0-9]{0,15}$"}"#);
const LIMIT: Parameter =
    in_query("limit", "Most items of one page.", r#"{"type":"integer","minimum":1,"maximum":100,"default":20}"#);
const CURSOR: Parameter = in_query("cursor", "`next_cursor` of the page before.", r#"{"type":"string"}"#);

const PARKED: Parameter = in_path("id", "The message's row.", r#"{"type":"string","pattern":"^[0-9]{1,18}$"}"#);

const WEBHOOK: Parameter = in_path("id", "The webhook's id.", r#"{"type":"string","pattern":"^[0-9]{1,18}$"}"#);

/// A read without a body.
const GET: Operation =
    Operation { method: "get", path: "", id: "", tag: "", summary: "", parameters: &[], body: None, answers: &[] };

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/v1/files",
        id: "listFiles",
        tag: "files",
        summary: "The newest files first, or the one that its producer knows by `source` or `source_id`",
        parameters: &[
            LIMIT,
            CURSOR,
            in_query("source", "Only the file from here: `s3://BUCKET/KEY`.", r#"{"type":"string"}"#),
            in_query("source_id", "Only the file that its producer calls so.", r#"{"type":"string"}"#),
            in_query(
                "tenant",
                "Whose file `source` or `source_id` names; left out: the caller's.",
                r#"{"type":"string","pattern":"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$"}"#,
            ),
        ],
        answers: &[json("FilePage", "What the caller may see of the page; it may be short, or empty with a cursor.")],
        ..GET
    },
    Operation {
        path: "/v1/files/{file}",
        id: "getFile",
        tag: "files",
        summary: "A file, and where each of its representations stands",
        parameters: &[
            FILE,
            in_query(
                "wait",
                "Seconds to wait until nothing is pending; more than 60 are 60.",
                r#"{"type":"integer","minimum":0,"maximum":60,"default":0}"#,
            ),
        ],
        answers: &[json(
            "File",
            "The file with its current version. While anything is pending, `Retry-After` and `eta_ms` say for how long.",
        )],
        ..GET
    },
    Operation {
        path: "/v1/files/{file}/access",
        id: "getAccess",
        tag: "access",
        summary: "Who may see a file",
        parameters: &[FILE],
        answers: &[json("FileAccess", "The rules that hold.")],
        ..GET
    },
    Operation {
        method: "put",
        path: "/v1/files/{file}/access",
        id: "setAccess",
        tag: "access",
        summary: "Replace who may see a file; holds from the next request on",
        parameters: &[FILE],
        body: Some("FileAccess"),
        answers: &[json("FileAccess", "The rules that hold now.")],
    },
    Operation {
        path: "/v1/files/{file}/explain",
        id: "explainFile",
        tag: "files",
        summary: "The life of a file in order, with reasons",
        parameters: &[FILE],
        answers: &[json("Explanation", "What happened; the last sentences say where each representation stands.")],
        ..GET
    },
    Operation {
        path: "/v1/events",
        id: "followEvents",
        tag: "events",
        summary: "What happens to the files that the caller may see, as server-sent events",
        parameters: &[in_query(
            "last_event_id",
            "Begin after this event; the header `Last-Event-ID` says the same. Left out: with what happens from now on.",
            r#"{"type":"string","pattern":"^[0-9]{0,18}$"}"#,
        )],
        answers: &[Answer {
            status: 200,
            description: "A stream; `event` is file_version.completed, representation.success or representation.error, \
                `data` a CloudEvent. It ends after 15 minutes at the latest: connect again with the last id.",
            content: Some(("text/event-stream", "EventStream")),
        }],
        ..GET
    },
    Operation {
        path: "/v1/failures",
        id: "listFailures",
        tag: "service",
        summary: "What ended as error, grouped by format, code and decoder, the largest groups first",
        parameters: &[in_query(
            "limit",
            "Most groups.",
            r#"{"type":"integer","minimum":1,"maximum":200,"default":200}"#,
        )],
        answers: &[json("Failures", "The groups.")],
        ..GET
    },
    Operation {
        method: "post",
        path: "/v1/redrive",
        id: "redrive",
        tag: "service",
        summary: "Give representations that ended as error another chance; repeat it with `until` while some remain",
        body: Some("Redrive"),
        answers: &[json("Redriven", "How much matched, and what is pending again.")],
        ..GET
    },
    Operation {
        path: "/v1/presets",
        id: "listPresets",
        tag: "service",
        summary: "What can be asked for",
        answers: &[json("Presets", "Every preset, with the recipe in force.")],
        ..GET
    },
    Operation {
        path: "/v1/capabilities",
        id: "getCapabilities",
        tag: "service",
        summary: "Which formats this installation reads and writes, proven when it started, and its limits",
        answers: &[json("Capabilities", "What works here, and what does not.")],
        ..GET
    },
    Operation {
        path: "/v1/pipeline",
        id: "getPipeline",
        tag: "service",
        summary: "What is waiting in each lane, and how many representations stand in which state",
        answers: &[json("Pipeline", "The pipeline now.")],
        ..GET
    },
    Operation {
        path: "/v1/parked",
        id: "listParked",
        tag: "events",
        summary: "Messages that nobody could read, the newest first",
        parameters: &[LIMIT, CURSOR, in_query("code", "Only those parked with this code.", r#"{"type":"string"}"#)],
        answers: &[json("ParkedPage", "One page of them.")],
        ..GET
    },
    Operation {
        path: "/v1/parked/{id}",
        id: "getParked",
        tag: "events",
        summary: "A parked message with its headers and its body",
        parameters: &[PARKED],
        answers: &[json("ParkedMessage", "The message.")],
        ..GET
    },
    Operation {
        method: "delete",
        path: "/v1/parked/{id}",
        id: "dropParked",
        tag: "events",
        summary: "Drop a parked message for good",
        parameters: &[PARKED],
        answers: &[Answer { status: 204, description: "It is gone.", content: None }],
        ..GET
    },
    Operation {
        method: "post",
        path: "/v1/parked/{id}/replay",
        id: "replayParked",
        tag: "events",
        summary: "Have a parked message published again",
        parameters: &[PARKED],
        answers: &[
            Answer { status: 202, description: "A worker will, within seconds.", content: Some((JSON, "Replayed")) },
            Answer {
                status: 400,
                description: "It was too long to keep as a whole.",
                content: Some(("application/problem+json", "Problem")),
            },
        ],
        ..GET
    },
    Operation {
        path: "/v1/webhooks",
        id: "listWebhooks",
        tag: "webhooks",
        summary: "Webhooks, the oldest first, with how their deliveries go",
        parameters: &[LIMIT, CURSOR],
        answers: &[json("WebhookPage", "One page of them.")],
        ..GET
    },
    Operation {
        method: "post",
        path: "/v1/webhooks",
        id: "createWebhook",
        tag: "webhooks",
        summary: "Make a webhook: it is told what happens from now on",
        parameters: &[],
        body: Some("WantedWebhook"),
        answers: &[Answer {
            status: 201,
            description: "The webhook, with the secret that its deliveries are signed with: it is shown this once.",
            content: Some((JSON, "NewWebhook")),
        }],
    },
    Operation {
        path: "/v1/webhooks/{id}",
        id: "getWebhook",
        tag: "webhooks",
        summary: "A webhook, and how its deliveries go",
        parameters: &[WEBHOOK],
        answers: &[json("Webhook", "The webhook.")],
        ..GET
    },
    Operation {
        method: "delete",
        path: "/v1/webhooks/{id}",
        id: "removeWebhook",
        tag: "webhooks",
        summary: "Remove a webhook, with all that was still to be delivered to it",
        parameters: &[WEBHOOK],
        answers: &[Answer { status: 204, description: "It is gone.", content: None }],
        ..GET
    },
    Operation {
        method: "post",
        path: "/v1/webhooks/{id}/test",
        id: "testWebhook",
        tag: "webhooks",
        summary: "Deliver an event of the type thumbline.webhook.test now, and tell what came of it",
        parameters: &[WEBHOOK],
        answers: &[json("WebhookTest", "What came of it.")],
        ..GET
    },
    Operation {
        method: "post",
        path: "/v1/webhooks/{id}/enable",
        id: "enableWebhook",
        tag: "webhooks",
        summary: "Switch a webhook on: it goes on where it stopped, at once",
        parameters: &[WEBHOOK],
        answers: &[json("Webhook", "The webhook.")],
        ..GET
    },
    Operation {
        method: "post",
        path: "/v1/webhooks/{id}/disable",
        id: "disableWebhook",
        tag: "webhooks",
        summary: "Switch a webhook off",
        parameters: &[WEBHOOK],
        answers: &[json("Webhook", "The webhook.")],
        ..GET
    },
    Operation {
        method: "post",
        path: "/v1/webhooks/{id}/rotate",
        id: "rotateWebhookSecret",
        tag: "webhooks",
        summary: "Give a webhook another secret; the old one counts as well for a while",
        parameters: &[WEBHOOK],
        body: Some("WebhookRotation"),
        answers: &[json("NewWebhook", "The webhook, with its new secret: it is shown this once.")],
    },
    Operation {
        path: "/v1/openapi.json",
        id: "getOpenApi",
        tag: "service",
        summary: "This document",
        answers: &[json("Document", "OpenAPI 3.1.")],
        ..GET
    },
    Operation {
        path: "/livez",
        id: "getLiveness",
        tag: "service",
        summary: "Whether the process answers at all",
        answers: &[json("Liveness", "It does.")],
        ..GET
    },
    Operation {
        path: "/readyz",
        id: "getReadiness",
        tag: "service",
        summary: "Whether every dependency is there",
        answers: &[
            json("Readiness", "They are."),
            Answer { status: 503, description: "Some are away.", content: Some((JSON, "Readiness")) },
        ],
        ..GET
    },
];
