//! A representation and its states: one preset applied to one file version.

use std::ops::Range;

use super::blob_key::{BlobKey, PageName};
use super::dimensions::Dimensions;
use super::failure::{Disposition, Failure, FailureCode};
use super::file::UnixMillis;
use super::ids::Sha256Digest;
use super::lane::Lane;
use super::preset::{PresetName, RecipeHash};

/// One preset applied to one file version: its state and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Representation {
    /// Which preset.
    pub preset: PresetName,
    /// The recipe that the content was, or is to be, made by.
    pub recipe: RecipeHash,
    /// Set while a `success` is made anew because its preset has changed: the recipe of the bytes to come. The old ones are
    /// read until then, and stay when it fails.
    pub renewal: Option<RecipeHash>,
    /// Where it stands.
    pub state: State,
    /// The lane that it waits in, or waited in last.
    pub lane: Lane,
    /// How many attempts were begun.
    pub attempts: u32,
    /// How many of them ended with the death of the render child.
    pub crashes: u32,
    /// What the last attempt that did not succeed ran into; kept while retrying.
    pub last_failure: Option<Failure>,
    /// When it became `pending`, by the database's clock.
    pub pending_since: UnixMillis,
    /// When the next attempt may begin, by the database's clock; says nothing once it has settled.
    pub due_at: UnixMillis,
    /// When it settled as `success` or `error`, by the database's clock.
    pub settled_at: Option<UnixMillis>,
}

/// Where a representation stands. The state `none` is the absent row and has no value here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Waiting for a worker, being worked on under a lease, or waiting for the next attempt. It always ends.
    Pending,
    /// Some pages can be read already; still being worked on.
    Viewable(Content),
    /// Complete: every byte can be read.
    Success(Content),
    /// Given up, with the reason.
    Error(Failure),
}

/// Bytes at rest of a representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Pages in order, page 1 first; never empty.
    pages: Vec<PageContent>,
}

/// One page of a representation; the only one unless the preset is paged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageContent {
    /// Where the bytes are.
    pub placement: Placement,
    /// Actual columns and rows.
    pub dimensions: Dimensions,
    /// Length of the encoded bytes.
    pub length_bytes: u64,
}

/// Where the bytes of a page are. Whoever reads them asks [`PageContent::range`] which part of the blob is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// In a blob of their own, whose key contains their digest.
    Own(BlobKey),
    /// In a pack, between other pages.
    Packed {
        /// The blob of all of them.
        pack: BlobKey,
        /// Bytes of the pack before the first one of the page.
        offset_bytes: u64,
        /// Which page it is.
        name: PageName,
    },
}

impl PageContent {
    /// SHA-256 of the encoded bytes: the strong ETag.
    pub fn sha256(&self) -> Sha256Digest {
        match &self.placement {
            Placement::Own(blob) => blob.digest(),
            Placement::Packed { name, .. } => name.digest,
        }
    }

    /// What the bytes are.
    pub fn media_type(&self) -> &'static str {
        match &self.placement {
            Placement::Own(blob) => blob.media_type(),
            Placement::Packed { name, .. } => name.format.media_type(),
        }
    }

    /// The blob without which the page cannot be read. There may be more in it than the page.
    pub fn blob(&self) -> &BlobKey {
        match &self.placement {
            Placement::Own(blob) | Placement::Packed { pack: blob, .. } => blob,
        }
    }

    /// The blob that is this page and nothing else, if there is one.
    pub fn own_blob(&self) -> Option<&BlobKey> {
        match &self.placement {
            Placement::Own(blob) => Some(blob),
            Placement::Packed { .. } => None,
        }
    }

    /// The bytes of the blob that are this part of the page, or all of the page; `None` stands for the whole blob. Of a pack
    /// it is never more than the page, whatever is asked for.
    pub fn range(&self, part: Option<Range<u64>>) -> Option<Range<u64>> {
        match &self.placement {
            Placement::Own(_) => part,
            Placement::Packed { offset_bytes, .. } => {
                let part = part.unwrap_or(0..self.length_bytes);
                let within = |position: u64| offset_bytes.saturating_add(position.min(self.length_bytes));
                Some(within(part.start)..within(part.end))
            }
        }
    }
}

impl Content {
    /// `None` when there is no page.
    pub fn new(pages: Vec<PageContent>) -> Option<Self> {
        (!pages.is_empty()).then_some(Self { pages })
    }

    /// Page 1.
    pub fn first(&self) -> &PageContent {
        &self.pages[0]
    }

    /// All pages, page 1 first.
    pub fn pages(&self) -> &[PageContent] {
        &self.pages
    }

    /// Page `number`, counted from 1.
    pub fn page(&self, number: u32) -> Option<&PageContent> {
        self.pages.get((number as usize).checked_sub(1)?)
    }
}

impl State {
    /// The word on the wire, in rows and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Viewable(_) => "viewable",
            Self::Success(_) => "success",
            Self::Error(_) => "error",
        }
    }

    /// What can be read now.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Viewable(content) | Self::Success(content) => Some(content),
            Self::Pending | Self::Error(_) => None,
        }
    }

    /// Whether nothing more happens by itself.
    pub fn has_settled(&self) -> bool {
        matches!(self, Self::Success(_) | Self::Error(_))
    }

    /// What a transition makes of this state, or why it may not happen. Stores apply the same table with one
    /// conditional statement each; the conformance suite holds them against this function.
    pub fn after(current: Option<Self>, transition: Transition) -> Result<Self, InvalidTransition> {
        let from = current.as_ref().map_or("none", Self::name);
        match (current, transition) {
            (None, Transition::Want) => Ok(Self::Pending),
            // Wanting again what is there changes nothing: events and requests may come any number of times.
            (Some(state), Transition::Want) => Ok(state),
            (Some(Self::Pending | Self::Viewable(_)), Transition::Settle(Outcome::Success(content))) => {
                Ok(Self::Success(content))
            }
            (Some(Self::Pending), Transition::Settle(Outcome::Viewable(content))) => Ok(Self::Viewable(content)),
            (Some(Self::Pending | Self::Viewable(_)), Transition::Settle(Outcome::Error(failure))) => {
                Ok(Self::Error(failure))
            }
            (Some(state @ (Self::Pending | Self::Viewable(_))), Transition::Settle(Outcome::Retry { .. })) => Ok(state),
            (
                Some(state @ (Self::Pending | Self::Viewable(_))),
                Transition::Settle(Outcome::HandBack | Outcome::Wait { .. } | Outcome::Move { .. }),
            ) => Ok(state),
            (Some(Self::Error(_)), Transition::Redrive) => Ok(Self::Pending),
            (_, transition) => Err(InvalidTransition { from, transition: transition.name() }),
        }
    }
}

/// What may happen to a representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// An event, a request or a plan wants it.
    Want,
    /// A worker that holds the lease says how its attempt ended.
    Settle(Outcome),
    /// An operator, or a new decoder, gives an `error` another chance.
    Redrive,
}

impl Transition {
    fn name(&self) -> &'static str {
        match self {
            Self::Want => "want",
            Self::Settle(_) => "settle",
            Self::Redrive => "redrive",
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The bytes can be read.
    Success(Content),
    /// Some pages can be read; more follow under the same lease.
    Viewable(Content),
    /// It never will succeed.
    Error(Failure),
    /// Not now: due again after `wait`, counted from the database's time of the settle.
    Retry {
        /// What it ran into.
        failure: Failure,
        /// How long from now.
        wait: std::time::Duration,
        /// Whether a dependency was away, so that this time does not count against the deadline.
        excused: bool,
    },
    /// The worker stops and gives the claim back untouched: due at once, the attempt does not count.
    HandBack,
    /// Somebody else is making the very same bytes: due again after `wait`, the attempt does not count, and neither does
    /// the time.
    Wait {
        /// How long from now.
        wait: std::time::Duration,
    },
    /// It belongs on another lane: due there at once, the attempt does not count.
    Move {
        /// Which one.
        lane: Lane,
    },
}

impl Outcome {
    /// Whether a crash is to be counted with it.
    pub fn is_crash(&self) -> bool {
        matches!(self, Self::Retry { failure, .. } | Self::Error(failure) if failure.code.disposition() == Disposition::Crash)
    }

    /// The failure code for metrics, when it did not succeed.
    pub fn code(&self) -> Option<FailureCode> {
        match self {
            Self::Error(failure) | Self::Retry { failure, .. } => Some(failure.code),
            Self::Success(_) | Self::Viewable(_) | Self::HandBack | Self::Wait { .. } | Self::Move { .. } => None,
        }
    }
}

/// A transition that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a representation in state {from} cannot {transition}")]
pub struct InvalidTransition {
    /// The state it was in.
    pub from: &'static str,
    /// What was tried.
    pub transition: &'static str,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::format::OutputFormat;

    fn content(seed: u8) -> Content {
        let blob = BlobKey::Representation {
            tenant: "t".parse().unwrap(),
            digest: Sha256Digest::of(&[seed]),
            format: OutputFormat::Jpg,
        };
        let dimensions = Dimensions::new(3, 2).unwrap();
        Content::new(vec![PageContent { placement: Placement::Own(blob), dimensions, length_bytes: 9 }]).unwrap()
    }

    fn packed(offset_bytes: u64) -> PageContent {
        let pack = BlobKey::Pack { tenant: "t".parse().unwrap(), digest: Sha256Digest::of(b"all") };
        let name = PageName { digest: Sha256Digest::of(b"one"), format: OutputFormat::Png };
        PageContent { placement: Placement::Packed { pack, offset_bytes, name }, ..content(1).first().clone() }
    }

    fn failure() -> Failure {
        Failure::new(FailureCode::CorruptSource, "no end")
    }

    fn any_transition() -> impl Strategy<Value = Transition> {
        let retry = Outcome::Retry { failure: failure(), wait: Duration::from_secs(1), excused: false };
        prop_oneof![
            Just(Transition::Want),
            Just(Transition::Redrive),
            any::<u8>().prop_map(|seed| Transition::Settle(Outcome::Success(content(seed)))),
            any::<u8>().prop_map(|seed| Transition::Settle(Outcome::Viewable(content(seed)))),
            Just(Transition::Settle(Outcome::Error(failure()))),
            Just(Transition::Settle(Outcome::HandBack)),
            Just(Transition::Settle(retry)),
        ]
    }

    proptest! {
        #[test]
        fn no_walk_leaves_success_or_goes_back_to_none(walk in proptest::collection::vec(any_transition(), 0..40)) {
            let mut state: Option<State> = None;
            for transition in walk {
                let before = state.clone();
                match State::after(before.clone(), transition.clone()) {
                    Ok(after) => {
                        if let Some(State::Success(_)) = before {
                            prop_assert_eq!(Some(&after), before.as_ref());
                        }
                        if before.is_none() {
                            prop_assert_eq!(&transition, &Transition::Want);
                        }
                        if let (Some(State::Error(_)), State::Pending) = (&before, &after) {
                            prop_assert_eq!(&transition, &Transition::Redrive);
                        }
                        if let (Some(State::Viewable(_)), State::Pending) = (&before, &after) {
                            prop_assert!(false, "viewable went back to pending");
                        }
                        state = Some(after);
                    }
                    Err(refused) => prop_assert_eq!(refused.from, before.as_ref().map_or("none", State::name)),
                }
            }
        }
    }

    #[test]
    fn a_settled_row_refuses_a_late_result() {
        let late = Transition::Settle(Outcome::Success(content(2)));
        let refused = State::after(Some(State::Error(failure())), late.clone()).unwrap_err();
        assert_eq!(refused.to_string(), "a representation in state error cannot settle");
        assert!(State::after(Some(State::Success(content(1))), late).is_err());
    }

    #[test]
    fn of_a_pack_only_the_page_is_read() {
        let page = packed(100);
        assert_eq!(page.range(None), Some(100..109));
        for (asked, read) in [(0..9, 100..109), (2..5, 102..105), (8..9, 108..109), (5..5, 105..105)] {
            assert_eq!(page.range(Some(asked)), Some(read));
        }
        for (beyond, read) in [(0..10, 100..109), (9..20, 109..109), (u64::MAX..u64::MAX, 109..109)] {
            assert_eq!(page.range(Some(beyond)), Some(read), "a neighbour's bytes");
        }
        assert_eq!(packed(u64::MAX).range(None), Some(u64::MAX..u64::MAX));
        assert_eq!((page.sha256(), page.media_type()), (Sha256Digest::of(b"one"), "image/png"));
        assert_eq!((page.own_blob(), page.blob().digest()), (None, Sha256Digest::of(b"all")));
        let own = content(1).first().clone();
        assert_eq!((own.range(None), own.range(Some(2..5))), (None, Some(2..5)));
        assert_eq!(own.own_blob(), Some(own.blob()));
    }

    #[test]
    fn pages_count_from_one() {
        assert!(content(1).page(0).is_none());
        assert_eq!(content(1).page(1), Some(content(1).first()));
        assert!(content(1).page(2).is_none());
        assert!(Content::new(Vec::new()).is_none());
    }
}
