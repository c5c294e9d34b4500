//! What a seed sends: uploads by every way in, bad events between them.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

use crate::options::Shape;

/// Copies of an event that travels more than once.
pub(crate) const COPIES: u32 = 10;
/// A third travels once: ten copies would hide that one was lost.
const ONCE: f64 = 0.34;
const BAD: f64 = 0.03;
const SAME_CONTENT: f64 = 0.15;
const NEWER_VERSION: f64 = 0.05;
const TENANTS: [&str; 4] = ["acme", "globex", "initech", "umbrella"];

/// How an upload gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Way {
    /// An event that is just the fields.
    Bare,
    /// A CloudEvent.
    CloudEvent,
    /// A notification as Ceph sends it.
    Notification,
    /// Through the API.
    Api,
}

/// A file version to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Upload {
    pub(crate) number: u32,
    pub(crate) way: Way,
    pub(crate) tenant: &'static str,
    /// Which of the contents it has.
    pub(crate) content: u32,
    /// The upload whose file it is a newer version of: the first of the file, itself mostly.
    pub(crate) file: u32,
    pub(crate) copies: u32,
}

/// An event that nobody can understand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Bad {
    pub(crate) body: String,
    pub(crate) copies: u32,
}

/// One thing that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum Item {
    Upload(Upload),
    Bad(Bad),
}

/// Everything that is sent, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) items: Vec<Item>,
    /// How many different contents there are.
    pub(crate) contents: u32,
}

impl Plan {
    /// `bucket` is the one that events name.
    pub(crate) fn new(seed: u64, count: u32, shape: Shape) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut plan = Self { items: Vec::new(), contents: 0 };
        for number in 0..count {
            let item = match shape {
                Shape::Production if random.random_bool(BAD) => Item::Bad(bad(&mut random, number)),
                _ => Item::Upload(plan.upload(&mut random, number, shape)),
            };
            plan.items.push(item);
        }
        plan
    }

    fn upload(&mut self, random: &mut StdRng, number: u32, shape: Shape) -> Upload {
        let content = if self.contents > 0 && random.random_bool(SAME_CONTENT) {
            random.random_range(0..self.contents)
        } else {
            self.contents += 1;
            self.contents - 1
        };
        let ways =
            [Way::Bare, Way::Bare, Way::CloudEvent, Way::CloudEvent, Way::Notification, Way::Api, Way::Api, Way::Api];
        let way = match shape {
            Shape::Production => ways.choose(random).copied().unwrap_or(Way::Bare),
            Shape::AllInOne => Way::Api,
        };
        let copies = if way == Way::Api || random.random_bool(ONCE) { 1 } else { COPIES };
        let names_its_file = |upload: &Upload| matches!(upload.way, Way::Bare | Way::CloudEvent);
        let mut upload = Upload { number, way, tenant: TENANTS[0], content, file: number, copies };
        let earlier = match self.items.choose(random) {
            Some(Item::Upload(earlier)) if names_its_file(earlier) => Some((earlier.file, earlier.tenant)),
            _ => None,
        };
        if names_its_file(&upload) {
            upload.tenant = TENANTS.choose(random).copied().unwrap_or(TENANTS[0]);
            if let Some((file, tenant)) = earlier.filter(|_| random.random_bool(NEWER_VERSION)) {
                (upload.file, upload.tenant) = (file, tenant);
            }
        }
        upload
    }
}

fn bad(random: &mut StdRng, number: u32) -> Bad {
    let body = match random.random_range(0..5) {
        0 => format!("this is not JSON, number {number}"),
        1 => format!("{{\"bucket\": \"somebody-elses\", \"key\": \"{number}.png\"}}"),
        2 => format!("{{\"key\": \"no-bucket-{number}.png\"}}"),
        3 => format!("{{\"bucket\": {number}, \"key\": [\"not\", \"a\", \"text\"]}}"),
        _ => {
            format!("{{\"Records\": [{{\"eventSource\": \"nobody:{number}\", \"eventName\": \"ObjectCreated:Put\"}}]}}")
        }
    };
    Bad { body, copies: if random.random_bool(ONCE) { 1 } else { COPIES } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_sends_the_same() {
        let plan = Plan::new(5, 300, Shape::Production);
        assert_eq!(plan, Plan::new(5, 300, Shape::Production));
        assert_ne!(plan, Plan::new(6, 300, Shape::Production));
        assert!(plan.items.iter().any(|item| matches!(item, Item::Bad(_))));
        assert!(plan.items.iter().any(|item| matches!(item, Item::Upload(upload) if upload.file != upload.number)));
        let single = Plan::new(5, 300, Shape::AllInOne);
        assert!(single.items.iter().all(|item| matches!(item, Item::Upload(_))), "events have no way into one process");
    }
}
