//! What we tell others: that a representation can be read or was given up, and that nothing of a version waits any more.

use super::access::Access;
use super::failure::FailureCode;
use super::file::UnixMillis;
use super::ids::{FileId, Tenant};
use super::preset::PresetName;
use super::representation::Outcome;

/// Something happened to a file version that others want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Every byte of a representation can be read.
    Success(PresetName),
    /// A representation was given up.
    Error(PresetName, FailureCode),
    /// Nothing of the version waits any more.
    Completed,
}

/// The topics of all news: routing keys on the exchange, names of server-sent events, what webhooks choose from.
pub const TOPICS: [&str; 3] = ["file_version.completed", "representation.success", "representation.error"];

impl News {
    /// What the outcome of an attempt tells others; `None` while the representation goes on waiting.
    pub fn of(preset: &PresetName, outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Success(_) => Some(Self::Success(preset.clone())),
            Outcome::Error(failure) => Some(Self::Error(preset.clone(), failure.code)),
            _ => None,
        }
    }

    /// One of [`TOPICS`].
    pub fn topic(&self) -> &'static str {
        match self {
            Self::Completed => TOPICS[0],
            Self::Success(_) => TOPICS[1],
            Self::Error(..) => TOPICS[2],
        }
    }

    /// Which representation, and why it was given up: with [`topic`](Self::topic) all that there is to write down.
    pub fn subject(&self) -> (Option<&PresetName>, Option<FailureCode>) {
        match self {
            Self::Completed => (None, None),
            Self::Success(preset) => (Some(preset), None),
            Self::Error(preset, code) => (Some(preset), Some(*code)),
        }
    }

    /// The news with this topic and subject; `None` when they do not go together.
    pub fn from_parts(topic: &str, preset: Option<PresetName>, code: Option<FailureCode>) -> Option<Self> {
        match (topic, preset, code) {
            ("file_version.completed", None, None) => Some(Self::Completed),
            ("representation.success", Some(preset), None) => Some(Self::Success(preset)),
            ("representation.error", Some(preset), Some(code)) => Some(Self::Error(preset, code)),
            _ => None,
        }
    }
}

/// Where an announcement stands in the log; 0 is before the first.
pub type Position = i64;

/// News as they are told: the same bytes to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its place in the log, which grows with time; also the event's id.
    pub position: Position,
    /// When it happened, by the database's clock.
    pub at: UnixMillis,
    /// One of [`TOPICS`].
    pub topic: String,
    /// To which file.
    pub file: FileId,
    /// Whose file it is.
    pub tenant: Tenant,
    /// Who may see the file now; `None`: operators only.
    pub access: Option<Access>,
    /// A CloudEvent in structured mode, as JSON.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_can_be_written_down_and_read_back() {
        let preset: PresetName = "jpg_160x160".parse().unwrap();
        let all =
            [News::Completed, News::Success(preset.clone()), News::Error(preset.clone(), FailureCode::CorruptSource)];
        for (news, topic) in all.iter().zip(TOPICS) {
            let (preset, code) = news.subject();
            assert_eq!(news.topic(), topic);
            assert_eq!(News::from_parts(topic, preset.cloned(), code).as_ref(), Some(news));
        }
        assert_eq!(News::from_parts("representation.success", None, None), None);
        assert_eq!(News::from_parts("representation.error", Some(preset), None), None);
        assert_eq!(News::from_parts("something.else", None, None), None);
    }
}
