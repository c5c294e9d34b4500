//! Children that wait for work, and whose sources each has seen: none goes from one tenant to another.

use shared::domain::ids::Tenant;

use super::process::RenderChild;

/// Whose sources a child has rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nobody's yet.
    Nothing,
    /// Only this tenant's; `None` stands for all who do not say, or for all together where children are shared.
    Of(Option<Tenant>),
}

/// The children that wait, the longest waiting first.
#[derive(Debug, Default)]
pub(super) struct Idle(Vec<(Seen, RenderChild)>);

impl Idle {
    pub(super) fn push(&mut self, seen: Seen, child: RenderChild) {
        self.0.push((seen, child));
    }

    /// One that has seen this tenant's sources only, else one that has seen none. The last one that worked comes
    /// first, because its memory is warm.
    pub(super) fn take(&mut self, tenant: &Option<Tenant>) -> Option<(Seen, RenderChild)> {
        let own = self.0.iter().rposition(|(seen, _)| matches!(seen, Seen::Of(other) if other == tenant));
        let place = own.or_else(|| self.0.iter().rposition(|(seen, _)| *seen == Seen::Nothing))?;
        Some(self.0.remove(place))
    }

    /// Those beyond `most` that have waited longest. Spare ones, which can be anybody's, stay.
    pub(super) fn surplus(&mut self, most: usize) -> Vec<RenderChild> {
        let mut surplus = Vec::new();
        while self.0.len() > most {
            let Some(place) = self.0.iter().position(|(seen, _)| *seen != Seen::Nothing) else { break };
            surplus.push(self.0.remove(place).1);
        }
        surplus
    }

    /// How many have seen nothing yet.
    pub(super) fn spare(&self) -> usize {
        self.0.iter().filter(|(seen, _)| *seen == Seen::Nothing).count()
    }

    pub(super) fn drain(&mut self) -> Vec<RenderChild> {
        std::mem::take(&mut self.0).into_iter().map(|(_, child)| child).collect()
    }
}
