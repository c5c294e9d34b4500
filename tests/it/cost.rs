//! What one upload costs on production's shape: processor time, statements, requests, messages, bytes. The figures are those of
//! docs/SCALE.md; `cargo nextest run --run-ignored all --no-capture -E 'test(what_an_upload_costs)'` prints them.

use crate::harness::pictures;
use crate::harness::servers::Production;

/// Uploads that are measured, after a few that warm everything up.
const UPLOADS: u32 = 40;
const WARM_UP: u32 = 4;

/// What was counted so far, by all processes.
struct Counted {
    api_cpu_ms: f64,
    worker_cpu_ms: f64,
    statements: f64,
    puts: f64,
    gets: f64,
    other_requests: f64,
    messages: f64,
    database_bytes: f64,
}

async fn counted(production: &Production) -> Counted {
    let processes = [&production.api, &production.workers[0]];
    let sum = async |line: &str| {
        let mut sum = 0.0;
        for process in processes {
            sum += Production::ops(process).metric(line).await;
        }
        sum
    };
    let requests =
        async |operation: &str| sum(&format!("thumbline_blob_requests_total{{operation=\"{operation}\"}}")).await;
    Counted {
        api_cpu_ms: production.api.cpu_ms() as f64,
        worker_cpu_ms: production.workers[0].cpu_ms() as f64,
        // The other process only answers this test.
        statements: Production::ops(&production.workers[0]).metric("thumbline_statements_total").await,
        puts: requests("put").await,
        gets: requests("get").await,
        other_requests: requests("head").await + requests("list").await + requests("delete").await,
        messages: sum("thumbline_published_total").await,
        database_bytes: production.database_bytes().await as f64,
    }
}

/// Announces pictures of these numbers and waits until all are settled.
async fn upload(production: &Production, numbers: std::ops::Range<u32>) {
    for number in numbers.clone() {
        production.publish_upload(&format!("{number}.jpg"), "1").await;
    }
    for number in numbers {
        let id = production.file_of(&format!("{number}.jpg")).await;
        production.client().settled(&id).await;
    }
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn what_an_upload_costs() {
    // Nothing but uploads: no scan, no look through blobs.
    let settings = [("THUMBLINE__WORKER__SCAN_SECONDS", "0"), ("THUMBLINE__GC__ENABLED", "false")];
    let production = Production::start(1, &settings).await;
    for number in 0..WARM_UP + UPLOADS {
        // Each is a picture of its own: equal ones would be rendered once.
        production.put_source(&format!("{number}.jpg"), &pictures::jpeg(1600 + number, 1200)).await;
    }
    upload(&production, 0..WARM_UP).await;
    let before = counted(&production).await;
    let began = std::time::Instant::now();
    upload(&production, WARM_UP..WARM_UP + UPLOADS).await;
    let (seconds, after) = (began.elapsed().as_secs_f64(), counted(&production).await);

    let each = |of: fn(&Counted) -> f64| (of(&after) - of(&before)) / f64::from(UPLOADS);
    let (statements, messages) = (each(|counted| counted.statements), each(|counted| counted.messages));
    let (puts, gets) = (each(|counted| counted.puts), each(|counted| counted.gets));
    println!(
        "each of {UPLOADS} uploads: worker and children {:.0} ms of CPU, api {:.1} ms (polled by this test), {statements:.1} \
         statements, {puts:.1} puts, {gets:.1} gets, {:.1} other requests, {messages:.1} messages published, {:.0} bytes of tables and indexes; {:.1} a second",
        each(|counted| counted.worker_cpu_ms),
        each(|counted| counted.api_cpu_ms),
        each(|counted| counted.other_requests),
        each(|counted| counted.database_bytes),
        f64::from(UPLOADS) / seconds,
    );
    // What the plans of docs/SCALE.md are made from may not grow unseen.
    assert!((puts - 5.0).abs() < 0.1 && (gets - 1.0).abs() < 0.1, "{puts} puts, {gets} gets");
    // A wake, what became of each representation, and that all is done.
    assert!(messages < 8.0, "{messages} messages");
    assert!(statements < 80.0, "{statements} statements");
    production.finish().await;
}
