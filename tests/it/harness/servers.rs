//! Production's shape for one story: its own database, broker namespace and buckets on the real servers, its own processes.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};

use super::client::Client;
use super::listener::Listener;
use super::process::{Process, thumbline};
use super::{eventually, sns};

/// The operator's token of every story.
pub(crate) const TOKEN: &str = "a-token-of-the-story-1234";

/// Shards of each lane in stories.
const SHARDS: usize = 2;

/// Servers and processes of one story.
pub(crate) struct Production {
    name: String,
    database_url: String,
    database_admin_url: String,
    amqp_url: String,
    s3: S3,
    broker: lapin::Channel,
    settings: Vec<(String, String)>,
    /// The API process.
    pub(crate) api: Process,
    /// The worker processes.
    pub(crate) workers: Vec<Process>,
    finished: bool,
}

pub(super) struct S3 {
    client: aws_sdk_s3::Client,
    pub(super) endpoint: String,
    pub(super) access_key: String,
    pub(super) secret_key: String,
}

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names no server: run `make test`"))
}

/// `scheme://user:password@host` in its parts: what is before the credentials, user, password, the rest.
fn with_credentials(url: &str) -> (String, String, String) {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (credentials, host) = rest.rsplit_once('@').expect("credentials in the URL");
    let (user, password) = credentials.split_once(':').expect("user:password");
    (format!("{scheme}://{}", host.trim_end_matches('/')), user.to_owned(), password.to_owned())
}

impl S3 {
    fn connect() -> Self {
        let (endpoint, access_key, secret_key) = with_credentials(&server("THUMBLINE_TEST_S3_URL"));
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .credentials_provider(aws_credential_types::Credentials::from_keys(&access_key, &secret_key, None))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self { client: aws_sdk_s3::Client::from_conf(config), endpoint, access_key, secret_key }
    }
}

impl Production {
    /// Migrates, then starts one API and `workers` workers; `settings` are environment variables for all of them.
    pub(crate) async fn start(workers: usize, settings: &[(&str, &str)]) -> Self {
        let name = format!("story{:016x}", rand::random::<u64>());
        let database_admin_url = server("THUMBLINE_TEST_DATABASE_URL");
        let amqp_url = server("THUMBLINE_TEST_AMQP_URL");
        let s3 = S3::connect();
        for bucket in [format!("{name}-blobs"), format!("{name}-uploads")] {
            s3.client.create_bucket().bucket(bucket).send().await.expect("the S3 server makes buckets");
        }
        let database_url = create_database(&database_admin_url, &name).await;
        let connection =
            Connection::connect(&amqp_url, ConnectionProperties::default()).await.expect("the broker answers");
        let broker = connection.create_channel().await.unwrap();
        broker.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut production = Self {
            api: Process::start(thumbline(&["--version"])),
            workers: Vec::new(),
            finished: false,
            name,
            database_url,
            database_admin_url,
            amqp_url,
            s3,
            broker,
            settings,
        };
        let migrated = production.command("migrate").output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        production.api = Process::start(production.command("api"));
        for _ in 0..workers {
            production.start_worker();
        }
        production
    }

    /// Changes the configuration of every process and command that starts from now on.
    pub(crate) fn configure(&mut self, key: &str, value: &str) {
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// One more worker.
    pub(crate) fn start_worker(&mut self) {
        let worker = Process::start(self.command("worker"));
        self.workers.push(worker);
    }

    /// A command with this story's configuration.
    pub(crate) fn command(&self, arguments: &str) -> std::process::Command {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut command = thumbline(&arguments);
        let sources = serde_json::json!([{ "bucket": self.uploads_bucket(), "tenant": "acme" }]);
        command
            .env("THUMBLINE__DATABASE__URL", &self.database_url)
            .env("THUMBLINE__QUEUE__URL", &self.amqp_url)
            .env("THUMBLINE__QUEUE__NAMESPACE", format!("{}.", self.name))
            .env("THUMBLINE__QUEUE__SHARDS", SHARDS.to_string())
            .env("THUMBLINE__BLOBS__URL", format!("s3://{}-blobs/some/prefix", self.name))
            .env("THUMBLINE__BLOBS__ENDPOINT", &self.s3.endpoint)
            .env("THUMBLINE__BLOBS__ACCESS_KEY_ID", &self.s3.access_key)
            .env("THUMBLINE__BLOBS__SECRET_ACCESS_KEY", &self.s3.secret_key)
            .env("THUMBLINE__SOURCES", sources.to_string())
            .env("THUMBLINE__API__LISTEN", "127.0.0.1:0")
            .env("THUMBLINE__OPS__LISTEN", "127.0.0.1:0")
            .env("THUMBLINE__AUTH__MODE", "token")
            .env("THUMBLINE__AUTH__TOKEN", TOKEN)
            .env("THUMBLINE__WORKER__CONCURRENCY", "2");
        self.settings.iter().for_each(|(key, value)| {
            command.env(key, value);
        });
        command
    }

    /// The bucket that events name.
    pub(crate) fn uploads_bucket(&self) -> String {
        format!("{}-uploads", self.name)
    }

    /// The bucket of our own blobs.
    pub(crate) fn blobs_bucket(&self) -> String {
        format!("{}-blobs", self.name)
    }

    /// A client of the store itself.
    pub(crate) fn s3_client(&self) -> &aws_sdk_s3::Client {
        &self.s3.client
    }

    /// Does to the rows what no port allows.
    pub(crate) async fn execute(&self, sql: &str) {
        let database = Database::connect(&self.database_url).await.unwrap();
        database.execute_unprepared(sql).await.unwrap();
    }

    /// A client with the operator's token.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.api.address("api"), Some(TOKEN))
    }

    /// A client of a process's health and metrics.
    pub(crate) fn ops(process: &Process) -> Client {
        Client::new(process.address("ops"), None)
    }

    /// Puts a source into the producers' bucket.
    pub(crate) async fn put_source(&self, key: &str, content: &[u8]) {
        let body = ByteStream::from(content.to_vec());
        self.s3
            .client
            .put_object()
            .bucket(self.uploads_bucket())
            .key(key)
            .body(body)
            .send()
            .await
            .expect("the source is put");
    }

    /// Returns once events are kept: a producer may start before the first worker, and must not lose its event.
    pub(crate) async fn until_events_are_taken(&self) {
        eventually("the uploads queue exists", || async { self.messages("thumbline.uploads").await.map(|_| ()) }).await;
    }

    /// Where the broker is.
    pub(crate) fn amqp_url(&self) -> &str {
        &self.amqp_url
    }

    /// The exchange that producers publish to.
    pub(crate) fn exchange(&self) -> String {
        format!("{}.uploads", self.name)
    }

    /// Has the store announce every object that is put into the producers' bucket, or deleted from it.
    pub(crate) async fn notify_of_objects(&self) {
        use aws_sdk_s3::types::{Event, NotificationConfiguration, TopicConfiguration};
        self.until_events_are_taken().await;
        let (broker, _, _) = with_credentials(self.amqp_url.trim_end_matches("/%2f"));
        let exchange = self.exchange();
        // Not persistent, so that the first event does not wait for the store's queue: half a minute.
        let attributes =
            [("push-endpoint", broker.as_str()), ("amqp-exchange", &exchange), ("amqp-ack-level", "broker")];
        let topic = sns::create_topic(&self.s3, &self.name, &attributes).await;
        let notified = TopicConfiguration::builder()
            .id("thumbline")
            .topic_arn(topic)
            .events(Event::S3ObjectCreated)
            .events(Event::S3ObjectRemoved)
            .build()
            .unwrap();
        let configuration = NotificationConfiguration::builder().topic_configurations(notified).build();
        let request = self.s3.client.put_bucket_notification_configuration().bucket(self.uploads_bucket());
        request.notification_configuration(configuration).send().await.expect("the store takes the notification");
    }

    /// Has the producers' bucket keep versions from now on.
    pub(crate) async fn keep_versions(&self) {
        use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
        let keep = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let request = self.s3.client.put_bucket_versioning().bucket(self.uploads_bucket());
        request.versioning_configuration(keep).send().await.expect("the store keeps versions");
    }

    /// Puts a source into the producers' bucket, which keeps versions; the id of the new one.
    pub(crate) async fn put_version(&self, key: &str, content: &[u8]) -> String {
        let body = ByteStream::from(content.to_vec());
        let request = self.s3.client.put_object().bucket(self.uploads_bucket()).key(key).body(body);
        let put = request.send().await.expect("the source is put");
        put.version_id.expect("the bucket keeps versions")
    }

    /// Deletes one version for good.
    pub(crate) async fn delete_version(&self, key: &str, version: &str) {
        let request = self.s3.client.delete_object().bucket(self.uploads_bucket()).key(key).version_id(version);
        request.send().await.expect("the version is deleted");
    }

    /// Deletes an object from the producers' bucket.
    pub(crate) async fn delete_source(&self, key: &str) {
        let request = self.s3.client.delete_object().bucket(self.uploads_bucket()).key(key);
        request.send().await.expect("the source is deleted");
    }

    /// The file of an object in the producers' bucket, asked for by its source, once it is registered.
    pub(crate) async fn file_at(&self, key: &str) -> serde_json::Value {
        let client = self.client();
        let source = format!("s3://{}/{key}", self.uploads_bucket());
        let encoded: String = source.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/v1/files?source={encoded}");
        eventually(&format!("{source} is registered"), || async {
            client.json(&path).await["files"].as_array().unwrap().first().cloned()
        })
        .await
    }

    /// Publishes as a producer would: to the exchange, with nothing but a body.
    pub(crate) async fn publish(&self, body: &str) {
        let exchange = format!("{}.uploads", self.name);
        // A producer may start before the first worker. There may be a queue that is not bound yet: only what the broker
        // could not bring anywhere comes back to a `mandatory` producer, so that it must not lose its event.
        eventually("the uploads queue exists", || async { self.messages("thumbline.uploads").await.map(|_| ()) }).await;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        eventually("the event has come to a queue", || async {
            let properties = BasicProperties::default().with_delivery_mode(2);
            let sent = self.broker.basic_publish(
                exchange.as_str().into(),
                "any.key".into(),
                options,
                body.as_bytes(),
                properties,
            );
            matches!(sent.await.unwrap().await.unwrap(), Confirmation::Ack(None)).then_some(())
        })
        .await;
    }

    /// Publishes an upload event of an object in the producers' bucket.
    pub(crate) async fn publish_upload(&self, key: &str, version: &str) {
        let event = serde_json::json!({ "bucket": self.uploads_bucket(), "key": key, "version_id": version });
        self.publish(&event.to_string()).await;
    }

    /// Somebody who listens to all that we tell others.
    pub(crate) async fn listen(&self) -> Listener {
        let connection = Connection::connect(&self.amqp_url, ConnectionProperties::default()).await.unwrap();
        let exchange = format!("{}.thumbline.events", self.name);
        eventually("the exchange is declared", || Listener::bind(&connection, &exchange)).await
    }

    /// How many messages are ready in one of this story's queues; `None` when it does not exist.
    async fn messages(&self, queue: &str) -> Option<u32> {
        // A passive declare of a missing queue closes its channel, so it gets one of its own.
        let connection = Connection::connect(&self.amqp_url, ConnectionProperties::default()).await.ok()?;
        let channel = connection.create_channel().await.ok()?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let name = format!("{}.{queue}", self.name);
        let declared = channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await.ok();
        let count = declared.map(|queue| queue.message_count());
        let _ = connection.close(200, "counted".into()).await;
        count
    }

    /// The newest parked message of this code, once there is one.
    pub(crate) async fn parked(&self, code: &str) -> serde_json::Value {
        let client = self.client();
        let list = format!("/v1/parked?code={code}&limit=1");
        eventually(&format!("a message is parked as {code}"), || async {
            let listed = client.json(&list).await;
            let id = listed["parked"][0]["id"].as_str()?;
            // One that waits to be published again may be gone by now.
            let message = client.get(&format!("/v1/parked/{id}")).await;
            if message.status() == StatusCode::NOT_FOUND { None } else { Some(message.json().await.unwrap()) }
        })
        .await
    }

    /// What the tables of this story take on the disk, with their indexes.
    pub(crate) async fn database_bytes(&self) -> i64 {
        let database = Database::connect(&self.database_url).await.unwrap();
        let sql = "SELECT CAST(sum(pg_total_relation_size(oid)) AS BIGINT) AS bytes FROM pg_class
                   WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
        row.try_get("", "bytes").unwrap()
    }

    /// Rows by state, straight from the database.
    pub(crate) async fn rows_by_state(&self) -> Vec<(String, i64)> {
        let database = Database::connect(&self.database_url).await.unwrap();
        let sql = "SELECT state, count(*) AS rows FROM representation GROUP BY state ORDER BY state";
        let rows = database.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
        rows.iter().map(|row| (row.try_get("", "state").unwrap(), row.try_get("", "rows").unwrap())).collect()
    }

    /// The file of an object in the producers' bucket, once it is registered.
    pub(crate) async fn file_of(&self, key: &str) -> String {
        let client = self.client();
        eventually(&format!("{key} is registered"), || async {
            let list = client.json("/v1/files?limit=100").await;
            let files = list["files"].as_array().unwrap().clone();
            files.iter().find(|file| file["name"] == key).map(|file| file["id"].as_str().unwrap().to_owned())
        })
        .await
    }

    /// Ends the story: every queue must be empty, every process must end in peace.
    pub(crate) async fn finish(mut self) {
        let mut left = self.queues();
        eventually("the queues are empty", || async {
            for queue in &self.queues() {
                if self.messages(queue).await.is_some_and(|count| count > 0) {
                    return None;
                }
            }
            Some(())
        })
        .await;
        for process in self.workers.iter_mut().chain([&mut self.api]) {
            let status = process.terminate();
            assert!(status.success(), "ended with {status}");
        }
        for queue in left.drain(..) {
            let name = format!("{}.{queue}", self.name);
            let _ = self.broker.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await;
        }
        let admin = Database::connect(&self.database_admin_url).await.unwrap();
        let drop = format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name);
        admin.execute_unprepared(&drop).await.unwrap();
        self.finished = true;
    }

    fn queues(&self) -> Vec<String> {
        let lanes = ["interactive", "normal", "heavy", "backfill"];
        let wakes =
            lanes.iter().flat_map(|lane| (0..SHARDS).map(move |shard| format!("thumbline.wake.{lane}.{shard}")));
        wakes.chain(["thumbline.uploads", "thumbline.parking", "thumbline.wake.dead"].map(str::to_owned)).collect()
    }
}

impl Drop for Production {
    fn drop(&mut self) {
        assert!(
            self.finished || std::thread::panicking(),
            "a story ends with finish(): it looks for what is left over"
        );
    }
}

async fn create_database(admin_url: &str, name: &str) -> String {
    let admin = Database::connect(admin_url).await.expect("PostgreSQL answers");
    admin.execute_unprepared(&format!("CREATE DATABASE \"{name}\"")).await.unwrap();
    let (before, _) = admin_url.rsplit_once('/').expect("a database in the URL");
    format!("{before}/{name}")
}

/// A moment for something that must not happen.
pub(crate) const A_WHILE: Duration = Duration::from_secs(3);
