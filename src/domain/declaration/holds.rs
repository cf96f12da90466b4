//! What the tax department holds of a declaration, or may come to hold.

use super::{Declaration, Held, Issue, Stage};
use crate::domain::message::{Message, MessageKind};

impl Declaration {
    /// The result that the tax department accepted last and that nothing accepted has replaced or withdrawn.
    pub fn in_force(&self) -> Option<&Held> {
        match &self.stage {
            Stage::Accepted(held) => Some(held),
            _ => self.standing.as_ref(),
        }
    }

    /// The version in force.
    pub fn version_in_force(&self) -> Option<u32> {
        self.in_force().map(|held| held.completion.version)
    }

    /// Messages that are not answered for good, in the order in which they leave.
    pub fn unanswered(&self) -> impl Iterator<Item = &Issue> {
        let own = match &self.stage {
            Stage::Completed { issue, .. } | Stage::Sent { issue, .. } => Some(issue),
            _ => None,
        };
        self.earlier.iter().map(|message| &message.issue).chain(own)
    }

    /// The version that the tax department holds once everything unanswered is accepted: what the next one supersedes.
    pub fn expected_in_force(&self) -> Option<u32> {
        let withdrawn = self.withdrawn.as_ref().map(|withdrawn| withdrawn.message.version);
        self.unanswered().fold(self.version_in_force(), |held, issue| {
            let Message { version, kind, .. } = issue.message;
            match kind {
                MessageKind::Certified if Some(version) > withdrawn => held.max(Some(version)),
                MessageKind::Certified => held,
                MessageKind::Withdrawn => held.filter(|held| *held > version),
            }
        })
    }

    /// Versions whose months the employer must keep claiming: in force, on their way, or completed last.
    pub fn claiming_versions(&self) -> Vec<u32> {
        let certified = self.unanswered().filter(|issue| issue.message.kind == MessageKind::Certified);
        let mut versions: Vec<u32> = certified.map(|issue| issue.message.version).collect();
        versions.extend(self.version_in_force());
        versions.extend(self.stage.completion().map(|completion| completion.version));
        versions.sort_unstable();
        versions.dedup();
        versions
    }
}
