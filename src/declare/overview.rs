//! Where an employer's year stands, and what is to be done next.

use schemars::JsonSchema;
use serde::Serialize;

use super::case::{Case, window_of};
use super::gates::declarable;
use super::standing::{PlacementView, placements};
use super::{DeclareError, Declaring};
use crate::domain::access::{Action, Actor};
use crate::domain::completion::Window;
use crate::domain::declaration::{Declaration, NextStep, Progress, WaitsFor};
use crate::domain::policy::Policy;
use crate::domain::review::{MonthStanding, PlacementStanding};
use crate::domain::said::Said;
use crate::store::Store;
use crate::store::consents::Consent;

/// An employer's year.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Overview {
    pub employer_uscc: String,
    pub year: i32,
    pub declaration: Declaration,
    /// The version that the tax department holds in force.
    pub version_in_force: Option<u32>,
    /// When it may be completed; null: at any time, because the unit is being deregistered.
    pub window: Option<Window>,
    /// Whether that is now.
    pub window_is_open: bool,
    /// The standing consent, while it is in force.
    pub consent: Option<Consent>,
    pub placements: Tally,
    pub next: NextStep,
    /// The next step in words.
    pub next_said: Said,
    pub waits_for: WaitsFor,
}

/// Placements by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tally {
    pub draft: u32,
    pub ticked: u32,
    pub under_review: u32,
    pub returned: u32,
    pub confirmed: u32,
}

impl Tally {
    fn of(standings: &[PlacementStanding]) -> Self {
        let mut tally = Self::default();
        for standing in standings {
            *match standing {
                PlacementStanding::Draft => &mut tally.draft,
                PlacementStanding::Ticked => &mut tally.ticked,
                PlacementStanding::UnderReview => &mut tally.under_review,
                PlacementStanding::Returned => &mut tally.returned,
                PlacementStanding::Confirmed => &mut tally.confirmed,
            } += 1;
        }
        tally
    }
}

/// Tells it to whoever may read the employer's results.
pub async fn overview(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    declaring: Declaring,
) -> Result<Overview, DeclareError> {
    let case = Case::open(store, actor, Action::ReadResults, declaring).await?;
    let declaration = case.look(store).await?;
    let at = store.now().await?;
    let window = window_of(store, policy, declaring, &declaration, at).await?;
    let views = placements(store, declaring).await?;
    let standings: Vec<PlacementStanding> = views.iter().map(PlacementView::standing).collect();
    let is_ticked =
        |view: &PlacementView| declarable(view, &declaration).any(|month| month.standing != MonthStanding::Unticked);
    let (first_day, last_day) = policy.window(declaring.year);
    let progress = Progress {
        placements: &standings,
        ticked: views.iter().any(is_ticked),
        own_window: Window { first_day, last_day },
        window,
    };
    let next = NextStep::of(&declaration, &progress, at);
    Ok(Overview {
        employer_uscc: case.of.uscc.to_string(),
        year: declaring.year,
        version_in_force: declaration.version_in_force(),
        window,
        window_is_open: window.is_none_or(|window| window.contains(at)),
        consent: store.find_consent(declaring.employer, declaring.year).await?,
        placements: Tally::of(&standings),
        next,
        next_said: next.said(),
        waits_for: next.waits_for(),
        declaration,
    })
}
