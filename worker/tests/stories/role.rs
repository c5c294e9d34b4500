//! What becomes of events, whatever they bring and whatever happens to the worker.

use std::time::{Duration, Instant};

use shared::domain::blob_key::BlobKey;
use shared::domain::dimensions::Bounds;
use shared::domain::explain::explain;
use shared::domain::failure::FailureCode;
use shared::domain::file::{FileState, NewFileVersion};
use shared::domain::fit_preset;
use shared::domain::format::SourceFormat;
use shared::domain::ids::{FileVersionId, Sha256Digest, Tenant};
use shared::domain::lane::{Lane, shard_of};
use shared::domain::ledger::EntryKind;
use shared::domain::plan;
use shared::domain::representation::{Representation, State};
use shared::domain::source::{AllowedBucket, AllowedBuckets};
use shared::event::{self, Meaning};
use shared::ports::file_store::Change;
use shared::ports::work_queue::Message;

use crate::children::{Story, told};
use crate::parent::{children, cpu_ticks, eventually, picture, picture_of};
use crate::world::{World, announcement};

pub(crate) const ALL: &[Story] = &[
    ("an_event_becomes_representations", || told(an_event_becomes_representations())),
    ("the_same_event_ten_times_is_one_version", || told(the_same_event_ten_times_is_one_version())),
    ("what_nobody_can_read_is_parked", || told(what_nobody_can_read_is_parked())),
    ("a_source_that_comes_late_is_found", || told(a_source_that_comes_late_is_found())),
    ("a_source_that_never_comes_ends", || told(a_source_that_never_comes_ends())),
    ("bad_bytes_end_at_once", || told(bad_bytes_end_at_once())),
    ("a_poison_file_is_quarantined_alone", || told(a_poison_file_is_quarantined_alone())),
    ("a_burst_of_one_tenant_does_not_delay_another", || told(a_burst_does_not_delay_others())),
    ("a_reserved_permit_lets_its_lane_begin", || told(a_reserved_permit_lets_its_lane_begin())),
    ("a_lost_wake_is_made_up_for", || told(a_lost_wake_is_made_up_for())),
    ("the_format_that_is_found_decides", || told(the_format_that_is_found_decides())),
    ("a_preset_that_nobody_knows_waits_for_a_worker_that_does", || told(unknown_preset_waits())),
    ("a_small_box_is_scaled_from_a_larger_representation", || told(a_small_box_is_scaled())),
    ("another_tenant_gets_copies_of_what_is_in_a_pack", || told(another_tenant_gets_copies())),
    ("small_pages_share_a_blob_and_are_what_they_would_be_alone", || told(small_pages_share_a_blob())),
    ("a_lost_lease_ends_the_work_and_the_next_claim_carries_on", || told(a_lost_lease_ends_the_work())),
    ("a_deleted_version_is_rendered_no_further", || told(a_deleted_version_is_rendered_no_further())),
    ("a_trashed_version_is_rendered_once_it_is_back", || told(a_trashed_version_is_rendered_once_it_is_back())),
    ("an_announced_deletion_ends_what_was_pending", || told(an_announced_deletion_ends_what_was_pending())),
    ("equal_content_is_rendered_once", || told(equal_content_is_rendered_once())),
    ("a_transient_error_is_nobody_elses", || told(a_transient_error_is_nobody_elses())),
    ("what_turns_out_to_be_heavy_leaves_the_normal_lane", || told(heavy_leaves_the_normal_lane())),
    ("draining_hands_back_what_does_not_end_in_time", || told(draining_hands_back())),
    ("the_second_signal_does_not_wait", || told(the_second_signal_does_not_wait())),
];

fn codes(file: &FileState) -> Vec<FailureCode> {
    let code = |row: &Representation| match &row.state {
        State::Error(failure) => Some(failure.code),
        State::Pending | State::Viewable(_) | State::Success(_) => None,
    };
    let mut codes: Vec<_> = file.representations.iter().filter_map(code).collect();
    codes.dedup();
    codes
}

fn all_succeeded(file: &FileState) -> bool {
    file.representations.iter().all(|row| matches!(row.state, State::Success(_)))
}

async fn an_event_becomes_representations() {
    let world = World::new().await;
    let worker = world.start_worker();
    world.upload("plain.bmp", &picture()).await;
    let file = world.settled("plain.bmp").await;
    assert_eq!(file.representations.len(), 5);
    for row in &file.representations {
        let page = row.state.content().unwrap_or_else(|| panic!("{row:#?}")).first();
        assert_eq!(world.blob_bytes(page.blob()).await, Some(page.length_bytes), "{}", row.preset);
        assert_eq!((row.attempts, row.crashes), (1, 0));
    }
    let bytes = file.version.bytes.unwrap();
    assert_eq!((bytes.length_bytes, bytes.sha256), (picture().len() as u64, Sha256Digest::of(&picture())));
    assert_eq!(file.version.picture.unwrap().dimensions.to_string(), "64x48");
    worker.drain().await;
}

async fn the_same_event_ten_times_is_one_version() {
    let world = World::new().await;
    let worker = world.start_worker();
    world.put_source("plain.bmp", &picture());
    for _ in 0..10 {
        world.announce(announcement("plain.bmp")).await;
    }
    // The event names no version, so only our own digest shows that all are the same: each is looked at, then merged.
    let deadline = Instant::now() + Duration::from_secs(30);
    while world.rows().await != (5, 5) {
        assert!(Instant::now() < deadline, "waited in vain: {:?}", world.rows().await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(all_succeeded(&world.file("plain.bmp").await.unwrap()));
    worker.drain().await;
}

async fn what_nobody_can_read_is_parked() {
    let world = World::new().await;
    let worker = world.start_worker();
    world.announce("this is not an event".into()).await;
    world.upload("plain.bmp", &picture()).await;
    assert!(all_succeeded(&world.settled("plain.bmp").await));
    let parked = world.parked().await;
    assert_eq!(&parked.parked.message.body[..], b"this is not an event");
    assert_eq!(parked.parked.code, "not_json");
    worker.drain().await;
}

async fn a_source_that_comes_late_is_found() {
    let world = World::new().await;
    let worker = world.start_worker();
    world.announce(announcement("late.bmp")).await;
    let looked = |row: &Representation| row.last_failure.as_ref().is_some_and(|f| f.code == FailureCode::SourceMissing);
    world.until("late.bmp", |rows| rows.iter().any(looked)).await;
    world.put_source("late.bmp", &picture());
    let file = world.settled("late.bmp").await;
    assert!(all_succeeded(&file));
    assert!(file.representations.iter().all(|row| row.attempts > 1));
    let entries = world.store.life(file.file.id).await.unwrap().unwrap().entries;
    let claims = entries.iter().filter(|entry| entry.kind == EntryKind::Claimed);
    assert!(claims.into_iter().all(|claim| claim.presets.len() == 5), "siblings were tried apart: {entries:#?}");
    worker.drain().await;
}

async fn a_source_that_never_comes_ends() {
    let mut world = World::new().await;
    world.retry.source_grace_seconds = 1;
    let worker = world.start_worker();
    world.announce(announcement("never.bmp")).await;
    let file = world.settled("never.bmp").await;
    assert_eq!(codes(&file), [FailureCode::SourceMissing]);
    assert!(file.representations[0].attempts > 2);
    worker.drain().await;
}

async fn bad_bytes_end_at_once() {
    let mut world = World::new().await;
    world.limits.raster.source_bytes_max = picture().len() as u64;
    world.limits.vector.source_bytes_max = 1;
    let worker = world.start_worker();
    world.upload("empty.bmp", b"").await;
    world.upload("long.bmp", &[picture(), vec![0]].concat()).await;
    world.upload("text.bmp", b"text").await;
    world.put_source("other.bmp", &picture());
    let declared = Sha256Digest::of(b"something else");
    world.announce(format!(r#"{{"bucket":"incoming","key":"other.bmp","sha256":"{declared}"}}"#)).await;
    let ends = [
        ("empty.bmp", FailureCode::ZeroBytes),
        ("long.bmp", FailureCode::TooManyBytes),
        ("text.bmp", FailureCode::UnsupportedFormat),
        ("other.bmp", FailureCode::DigestMismatch),
    ];
    for (key, code) in ends {
        let file = world.settled(key).await;
        assert_eq!(codes(&file), [code], "{key}");
        assert!(file.representations.iter().all(|row| row.attempts == 1), "{key}");
    }
    worker.drain().await;
}

async fn a_poison_file_is_quarantined_alone() {
    let world = World::new().await;
    let worker = world.start_worker();
    world.upload("poison.bmp", b"hostile:abort").await;
    world.upload("plain.bmp", &picture()).await;
    assert!(all_succeeded(&world.settled("plain.bmp").await));
    let file = world.settled("poison.bmp").await;
    assert_eq!(codes(&file), [FailureCode::ChildCrashed]);
    assert!(file.representations.iter().all(|row| (row.attempts, row.crashes) == (3, 3)));

    let life = world.store.life(file.file.id).await.unwrap().unwrap();
    let reproducer = &life.quarantines[0].reproducer;
    let source = b"hostile:abort";
    assert_eq!((reproducer.sha256, reproducer.length_bytes), (Sha256Digest::of(source), source.len() as u64));
    assert_eq!(&reproducer.limits, world.limits.of(SourceFormat::Bmp));
    assert!(reproducer.end.contains("signal"), "{}", reproducer.end);
    let kinds: Vec<&str> = explain(&life).iter().map(|told| told.kind).collect();
    let crashes = ["claimed", "crashed", "claimed", "crashed", "claimed", "error", "quarantined"];
    assert_eq!(kinds, [&["registered"], &crashes[..], &["stands"]].concat());

    // Another preset of it ends without a fourth child.
    let large = plan::wanted(world.presets.get("png_paged_2048x2048").unwrap());
    world.store.ask(file.version.id, &[large], Lane::Interactive).await.unwrap();
    let file = world.until("poison.bmp", |rows| rows.len() == 6 && rows.iter().all(|r| r.state.has_settled())).await;
    assert_eq!(codes(&file), [FailureCode::ChildCrashed]);
    let untried = world.store.life(file.file.id).await.unwrap().unwrap().entries.pop().unwrap();
    assert!(untried.stages.iter().all(|(stage, _)| stage != "render"), "{untried:?}");
    worker.drain().await;
}

/// What an event of this tenant announces, before anybody has registered it.
fn announced(world: &World, tenant: &str) -> NewFileVersion {
    let message = Message { body: announcement("plain.bmp").into(), ..Message::default() };
    let bucket = AllowedBucket { tenant: tenant.parse().unwrap(), default_access: None, own_blobs: None };
    let buckets = AllowedBuckets::new([("incoming".to_owned(), bucket)]);
    let meanings = event::read(&message, &buckets, &world.presets).meanings;
    let [Meaning::Register(new)] = &meanings[..] else { panic!("{meanings:?}") };
    NewFileVersion::clone(new)
}

/// A version of a tenant, as intake would register it.
async fn registered(world: &World, tenant: &str, number: usize) -> FileVersionId {
    let new = NewFileVersion { file_identity: format!("id:{number}"), ..announced(world, tenant) };
    shared::register::register(&*world.store, &*world.queue, &new).await.unwrap().registration.version_id
}

/// Files of one tenant that come before the one of another; the measurement in docs/BENCHMARKS.md takes a thousand.
fn burst() -> usize {
    std::env::var("THUMBLINE_TEST_BURST").map_or(60, |burst| burst.parse().unwrap())
}

async fn a_burst_does_not_delay_others() {
    let mut world = World::new().await;
    world.config.concurrency = 1;
    world.put_source("plain.bmp", &picture());
    let mut big = Vec::new();
    for number in 0..burst() {
        big.push(registered(&world, "big", number).await);
    }
    let shards = 4;
    let shard = |tenant: &str| shard_of(&tenant.parse().unwrap(), shards);
    let small = (0..).map(|n| format!("small-{n}")).find(|name| shard(name) != shard("big")).unwrap();
    let lucky = registered(&world, &small, burst()).await;
    let began = Instant::now();
    let worker = world.start_worker();
    let mut ended = Vec::new();
    while ended.len() <= burst() {
        assert!(began.elapsed() < Duration::from_secs(600), "only {} ended", ended.len());
        let states = world.store.recent(None, 5000).await.unwrap();
        let settled_at = |state: &FileState| state.representations.iter().map(|row| row.settled_at).max().flatten();
        let whole = states.iter().filter(|state| all_succeeded(state));
        ended = whole.map(|state| (settled_at(state).unwrap(), state.version.id)).collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ended.sort();
    let before = ended.iter().position(|(_, version)| *version == lucky).unwrap();
    let (first, waited) = (ended[0].0, ended[before].0 - ended[0].0);
    let whole = ended[burst()].0 - first;
    eprintln!("the small tenant's file came after {before} of {} others, {waited} ms of {whole} ms", big.len());
    assert!(before <= 4, "it came after {before} files of another shard");
    worker.drain().await;
}

async fn a_reserved_permit_lets_its_lane_begin() {
    let mut world = busy_world(0).await;
    world.config.reserved_interactive = 1;
    let worker = world.start_worker();
    world.until("endless.bmp", |rows| rows.iter().all(|row| row.attempts == 1)).await;
    world.put_source("quick.bmp", &picture());
    world.announce(r#"{"bucket":"incoming","key":"quick.bmp","lane":"interactive"}"#.to_owned()).await;
    assert!(all_succeeded(&world.settled("quick.bmp").await), "every other permit is taken");
    worker.drain().await;
}

async fn a_lost_wake_is_made_up_for() {
    let world = World::new().await;
    world.put_source("plain.bmp", &picture());
    world.store.register(&announced(&world, "default")).await.unwrap();
    let worker = world.start_worker();
    assert!(all_succeeded(&world.settled("plain.bmp").await));
    worker.drain().await;
}

async fn the_format_that_is_found_decides() {
    let mut world = World::new().await;
    world.add_preset(
        "name = \"only_bmp\"\nformat = \"png\"\nwidth = 40\nheight = 40\ntrigger = \"eager\"\nsources = [\"bmp\"]",
    );
    let worker = world.start_worker();
    world.upload("called-a.png", &picture()).await;
    let file = world.until("called-a.png", |rows| rows.len() == 6 && rows.iter().all(|r| r.state.has_settled())).await;
    assert!(all_succeeded(&file), "{file:#?}");
    worker.drain().await;
}

async fn unknown_preset_waits() {
    let mut world = World::new().await;
    let old = world.start_worker();
    world.upload("plain.bmp", &picture()).await;
    let file = world.settled("plain.bmp").await;
    world.add_preset("name = \"newer\"\nformat = \"png\"\nwidth = 40\nheight = 40");
    let newer = plan::wanted(world.presets.get("newer").unwrap());
    world.store.ask(file.version.id, &[newer], Lane::Interactive).await.unwrap();
    let refused =
        |row: &Representation| row.last_failure.as_ref().is_some_and(|f| f.code == FailureCode::UnknownPreset);
    world.until("plain.bmp", |rows| rows.iter().any(refused)).await;
    old.drain().await;
    let new = world.start_worker();
    assert!(all_succeeded(&world.settled("plain.bmp").await));
    new.drain().await;
}

/// A world in which one render goes on for ever.
async fn busy_world(drain_seconds: u64) -> World {
    let mut world = World::new().await;
    world.limits.raster.child_seconds_max = 3600;
    world.limits.raster.child_cpu_seconds_max = 3600;
    world.config.drain_seconds = drain_seconds;
    world.config.concurrency = 1;
    world.upload("endless.bmp", b"hostile:loop").await;
    world
}

/// The child that renders for ever.
async fn child_at_work() -> i32 {
    let mut at_work = None;
    eventually("a child is at work", || {
        // More than a spare child needs for its start.
        at_work = children().into_iter().find(|pid| cpu_ticks(*pid) > 60);
        at_work.is_some()
    })
    .await;
    at_work.unwrap()
}

async fn a_deleted_version_is_rendered_no_further() {
    let mut world = busy_world(0).await;
    world.config.lease_seconds = 4;
    let worker = world.start_worker();
    let at_work = child_at_work().await;
    let file = world.file("endless.bmp").await.unwrap().file.id;
    world.files.change(file, &Change::Trash, None).await.unwrap();
    world.files.change(file, &Change::Purge, None).await.unwrap();
    eventually("the child is killed when its rows are gone", || !children().contains(&at_work)).await;
    world.upload("plain.bmp", &picture()).await;
    assert!(all_succeeded(&world.settled("plain.bmp").await), "the permit is stuck");
    assert!(world.file("endless.bmp").await.is_none(), "what was purged has come back");
    worker.drain().await;
}

async fn a_trashed_version_is_rendered_once_it_is_back() {
    let mut world = busy_world(0).await;
    world.config.lease_seconds = 4;
    let worker = world.start_worker();
    let at_work = child_at_work().await;
    let file = world.file("endless.bmp").await.unwrap().file.id;
    world.files.change(file, &Change::Trash, None).await.unwrap();
    eventually("the child is killed when nobody wants its work", || !children().contains(&at_work)).await;
    assert_eq!(codes(&world.file("endless.bmp").await.unwrap()), [FailureCode::Trashed]);
    world.put_source("endless.bmp", &picture());
    world.files.change(file, &Change::Restore, None).await.unwrap();
    assert!(all_succeeded(&world.settled("endless.bmp").await));
    worker.drain().await;
}

async fn an_announced_deletion_ends_what_was_pending() {
    let mut world = busy_world(0).await;
    world.config.lease_seconds = 4;
    let worker = world.start_worker();
    let at_work = child_at_work().await;
    let deletion = |key| format!(r#"{{"type":"thumbline.file.deleted","bucket":"incoming","key":"{key}"}}"#);
    world.announce(deletion("endless.bmp")).await;
    eventually("the child is killed when its file is in the trash", || !children().contains(&at_work)).await;
    let file = world.file("endless.bmp").await.unwrap();
    assert!(file.file.trashed_at.is_some());
    assert_eq!(codes(&file), [FailureCode::Trashed]);
    // Announced before its upload: the one that follows is not shown, and the next file is none the worse.
    world.announce(deletion("never-seen.bmp")).await;
    world.upload("plain.bmp", &picture()).await;
    assert!(all_succeeded(&world.settled("plain.bmp").await));
    assert!(world.file("never-seen.bmp").await.is_none());
    worker.drain().await;
}

/// The stories of what a version went through, by kind.
async fn kinds(world: &World, file: &FileState) -> Vec<&'static str> {
    explain(&world.store.life(file.file.id).await.unwrap().unwrap()).iter().map(|told| told.kind).collect()
}

async fn equal_content_is_rendered_once() {
    let mut world = World::new().await;
    world.config.concurrency = 4;
    for number in 0..6 {
        world.upload(&format!("{number}.bmp"), &picture()).await;
    }
    let worker = world.start_worker();
    let (mut rendered, mut contents) = (0, Vec::new());
    for number in 0..6 {
        let file = world.settled(&format!("{number}.bmp")).await;
        assert!(all_succeeded(&file), "{file:#?}");
        assert_eq!(file.version.picture.unwrap().dimensions.to_string(), "64x48");
        rendered += usize::from(!kinds(&world, &file).await.contains(&"taken_over"));
        let states: Vec<State> = file.representations.iter().map(|row| row.state.clone()).collect();
        contents.push(states);
    }
    assert_eq!(rendered, 1, "one of them renders, and the others take over");
    assert!(contents.iter().all(|states| *states == contents[0]));
    // One of them is deleted for good: the others keep what they have.
    let gone = world.file("0.bmp").await.unwrap();
    for change in [Change::Trash, Change::Purge] {
        world.files.change(gone.file.id, &change, None).await.unwrap();
    }
    world.collect_garbage().await;
    let kept = world.file("1.bmp").await.unwrap();
    for row in &kept.representations {
        let page = row.state.content().unwrap().first();
        assert_eq!(world.blob_bytes(page.blob()).await, Some(page.length_bytes), "{}", row.preset);
    }
    worker.drain().await;
}

async fn small_pages_share_a_blob() {
    let source = picture_of(324, 63);
    let alone = World::new().await;
    let worker = alone.start_worker();
    alone.upload("plain.bmp", &source).await;
    let expected = alone.settled("plain.bmp").await;
    worker.drain().await;

    let mut world = World::new().await;
    world.config.pack_bytes_max = 1 << 20;
    let worker = world.start_worker();
    for name in ["one.bmp", "two.bmp"] {
        world.upload(name, &source).await;
        let file = world.settled(name).await;
        for row in &file.representations {
            let page = row.state.content().unwrap_or_else(|| panic!("{row:#?}")).first();
            let other = expected.representation(&row.preset).unwrap().state.content().unwrap().first();
            assert_eq!((page.own_blob(), page.sha256()), (None, other.sha256()), "{}", row.preset);
            assert!(world.bytes(page).await == alone.bytes(other).await, "{}", row.preset);
        }
    }
    let [one, two] = [world.file("one.bmp").await.unwrap(), world.file("two.bmp").await.unwrap()];
    let packs = world.blobs.list(None, 100).await.unwrap().blobs;
    assert_eq!(packs.len(), 1, "equal content takes it over: {packs:?}");

    // A small box is made from the page, not from all that is in the pack; alone, it has a blob of its own.
    for name in ["one.bmp", "two.bmp"] {
        world.remove_source(name);
    }
    let preset = fit_preset::for_box(one.version.picture.unwrap().dimensions, Bounds::square(100));
    let (wanted, kept) = (plan::wanted(&preset), (fit_preset::PREFIX, fit_preset::KEPT_MAX));
    world.store.ask_one_of_few(one.version.id, &wanted, kept, Lane::Interactive).await.unwrap();
    world.wake(&one, Lane::Interactive).await;
    let scaled = world.settled("one.bmp").await;
    let page = scaled.representation(&preset.name).unwrap().state.content().unwrap().first().clone();
    assert_eq!((page.dimensions.to_string().as_str(), page.own_blob().is_some()), ("100x19", true));

    // The pack goes with the last file that has a part of it.
    for (file, left) in [(one, 1), (two, 0)] {
        for change in [Change::Trash, Change::Purge] {
            world.files.change(file.file.id, &change, None).await.unwrap();
        }
        world.collect_garbage().await;
        assert_eq!(world.blobs.list(None, 100).await.unwrap().blobs.len(), left);
    }
    worker.drain().await;
}

async fn another_tenant_gets_copies() {
    let mut world = World::new().await;
    world.config.pack_bytes_max = 1 << 20;
    world.config.share_across_tenants = true;
    let worker = world.start_worker();
    world.upload("one.bmp", &picture()).await;
    let one = world.settled("one.bmp").await;
    world.put_source("two.bmp", &picture());
    world.announce(r#"{"bucket":"incoming","key":"two.bmp","tenant":"other"}"#.to_owned()).await;
    let other: Tenant = "other".parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let two = loop {
        let file = world.store.file_by_identity(&other, "s3://incoming/two.bmp").await.unwrap();
        match file {
            Some(file) if file.representations.iter().all(|row| row.state.has_settled()) => break file,
            file => assert!(Instant::now() < deadline, "waited in vain: {file:#?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(kinds(&world, &two).await.contains(&"taken_over"));
    for row in &two.representations {
        let page = row.state.content().unwrap_or_else(|| panic!("{row:#?}")).first();
        let packed = one.representation(&row.preset).unwrap().state.content().unwrap().first();
        assert_eq!((packed.own_blob(), page.own_blob().map(BlobKey::tenant)), (None, Some(&other)), "{}", row.preset);
        assert!(world.bytes(page).await == world.bytes(packed).await, "{}", row.preset);
    }
    worker.drain().await;
}

async fn heavy_leaves_the_normal_lane() {
    let mut world = World::new().await;
    world.limits.raster.source_bytes_max = 1 << 30;
    let worker = world.start_worker();
    // Nobody has said how long it is, and its name tells of a format that takes long.
    world.upload("film.jxl", &[picture(), vec![0; 15 << 20]].concat()).await;
    let film = world.settled("film.jxl").await;
    let life = world.store.life(film.file.id).await.unwrap().unwrap();
    let lanes: Vec<_> = life.entries.iter().map(|entry| (entry.kind.name(), entry.lane)).collect();
    assert_eq!(lanes[0], ("claimed", Some(Lane::Normal)), "{lanes:?}");
    assert_eq!(lanes[1..3], [("moved", Some(Lane::Heavy)), ("claimed", Some(Lane::Heavy))], "{lanes:?}");
    assert!(film.representations.iter().all(|row| row.attempts == 1), "the first look was no attempt: {film:#?}");
    world.upload("photo.jxl", &picture()).await;
    let photo = world.settled("photo.jxl").await;
    assert!(!kinds(&world, &photo).await.contains(&"moved"));
    worker.drain().await;
}

async fn a_transient_error_is_nobody_elses() {
    let mut world = World::new().await;
    world.retry.crashes_max = 1;
    let worker = world.start_worker();
    world.upload("poison.bmp", b"hostile:abort").await;
    let file = world.settled("poison.bmp").await;
    assert_eq!(codes(&file), [FailureCode::ChildCrashed]);
    // The same bytes under another name meet their own end, with an attempt of their own.
    world.upload("again.bmp", b"hostile:abort").await;
    let again = world.settled("again.bmp").await;
    assert_eq!(codes(&again), [FailureCode::ChildCrashed]);
    assert!(again.representations.iter().any(|row| row.attempts == 1 && row.crashes == 1), "{again:#?}");
    worker.drain().await;
}

async fn a_lost_lease_ends_the_work() {
    let mut world = busy_world(0).await;
    world.config.lease_seconds = 4;
    let worker = world.start_worker();
    world.until("endless.bmp", |rows| rows.iter().all(|row| row.attempts == 1)).await;
    let at_work = child_at_work().await;
    let lock = world.lock_database().await;
    world.put_source("endless.bmp", &picture());
    world.upload("meanwhile.bmp", &picture()).await;
    let is_gone = || !children().contains(&at_work);
    eventually("the child is killed when the lease cannot be extended", is_gone).await;
    lock.close().await.unwrap();
    let file = world.settled("endless.bmp").await;
    assert!(all_succeeded(&file) && file.representations.iter().all(|row| row.attempts == 2));
    assert!(all_succeeded(&world.settled("meanwhile.bmp").await), "an event was lost in the outage");
    worker.drain().await;
}

async fn draining_hands_back() {
    let world = busy_world(0).await;
    let worker = world.start_worker();
    world.until("endless.bmp", |rows| rows.iter().all(|row| row.attempts == 1)).await;
    eventually("a child is at work", || !children().is_empty()).await;
    world.put_source("endless.bmp", &picture());
    worker.drain().await;
    let handed_back = world.file("endless.bmp").await.unwrap();
    assert!(handed_back.representations.iter().all(|row| row.attempts == 0 && row.state == State::Pending));
    let next = world.start_worker();
    let file = world.settled("endless.bmp").await;
    assert!(all_succeeded(&file) && file.representations.iter().all(|row| row.attempts == 1));
    next.drain().await;
}

async fn the_second_signal_does_not_wait() {
    let world = busy_world(3600).await;
    let worker = world.start_worker();
    world.until("endless.bmp", |rows| rows.iter().all(|row| row.attempts == 1)).await;
    worker.shutdown.cancel();
    let signalled = Instant::now();
    worker.stop.cancel();
    worker.ended().await;
    assert!(signalled.elapsed() < Duration::from_secs(5));
    assert!(world.file("endless.bmp").await.unwrap().representations.iter().all(|row| row.attempts == 0));
}

async fn a_small_box_is_scaled() {
    let world = World::new().await;
    let worker = world.start_worker();
    world.upload("plain.bmp", &picture_of(324, 63)).await;
    let file = world.settled("plain.bmp").await;
    let shown = file.version.picture.unwrap().dimensions;
    // The larger one is 320x62, which alone would fit the box at 98x19. With the source gone, only a representation can be what the small one is made from.
    world.remove_source("plain.bmp");
    let preset = fit_preset::for_box(shown, Bounds::square(100));
    let kept = (fit_preset::PREFIX, fit_preset::KEPT_MAX);
    let wanted = plan::wanted(&preset);
    world.store.ask_one_of_few(file.version.id, &wanted, kept, Lane::Interactive).await.unwrap();
    world.wake(&file, Lane::Interactive).await;
    let file = world.settled("plain.bmp").await;
    let row = file.representation(&preset.name).unwrap();
    let page = row.state.content().unwrap_or_else(|| panic!("{row:#?}")).first();
    assert_eq!((preset.name.as_str(), page.dimensions.to_string().as_str()), ("fit_100x19", "100x19"));
    assert_eq!(file.version.picture.unwrap().dimensions, shown, "what the representation shows is not the source's");
    worker.drain().await;
}
