//! What keeps an employer's declaration from being finished, in counts.

use chrono::{DateTime, Utc};

use super::gates::certificates_held;
use super::standing::{PlacementView, placements};
use super::{DeclareError, Declaring};
use crate::clock;
use crate::domain::certificate::in_force_on;
use crate::domain::declaration::Stage;
use crate::domain::facts::PersonId;
use crate::domain::policy::Policy;
use crate::domain::reminder::{Stands, Unfinished};
use crate::domain::review::{MonthStanding, PlacementStanding};
use crate::store::Store;
use crate::store::reminders::Declarer;

/// Whether everything that is ticked passes by itself, and something is.
pub fn is_all_green(views: &[PlacementView]) -> bool {
    let mut months = views.iter().flat_map(|view| view.months.iter().map(|month| month.standing));
    months.clone().any(|standing| standing == MonthStanding::Passed)
        && months.all(|standing| matches!(standing, MonthStanding::Passed | MonthStanding::Unticked))
}

/// What is missing of an employer's year; nothing where it is finished, or waits for a receipt no longer than since `receipts_due`, before which
/// what was handed over should have been answered.
pub async fn find_unfinished(
    store: &Store,
    policy: &Policy,
    year: i32,
    declarer: &Declarer,
    receipts_due: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Option<Unfinished>, DeclareError> {
    let stands = match &declarer.declaration.stage {
        Stage::Open { .. } => Stands::Open,
        Stage::Rejected(_) => Stands::Rejected,
        Stage::Completed { issue, .. } | Stage::Sent { issue, .. } if issue.issued.at < receipts_due => {
            Stands::NoReceipt
        }
        _ => return Ok(None),
    };
    let mut missing = Unfinished::nothing(stands, declarer.placements);
    if stands != Stands::Open {
        return Ok(Some(missing));
    }
    let declaring = Declaring { employer: declarer.employer, year };
    let views = placements(store, declaring).await?;
    for view in &views {
        let lacking = view.months.iter().filter(|month| matches!(month.standing, MonthStanding::EvidenceMissing(_)));
        let lacking = u32::try_from(lacking.count()).unwrap_or_default();
        missing.evidence_months += lacking;
        missing.evidence_persons += u32::from(lacking > 0);
        match view.standing() {
            PlacementStanding::Ticked => missing.not_handed_in += 1,
            PlacementStanding::UnderReview => missing.under_review += 1,
            PlacementStanding::Returned => missing.returned += 1,
            PlacementStanding::Draft | PlacementStanding::Confirmed => {}
        }
    }
    let ticked = |view: &&PlacementView| view.months.iter().any(|month| month.standing != MonthStanding::Unticked);
    let persons: Vec<PersonId> = views.iter().filter(ticked).map(|view| view.person).collect();
    missing.any_ticked = !persons.is_empty();
    let today = clock::business_date(at);
    if policy.certificate_at_submission(today)? {
        let certificates = certificates_held(store, declaring, &persons).await?;
        let weights = policy.weights(today)?;
        let lapsed = persons.iter().filter(|person| {
            let held = certificates.get(person).map_or(&[][..], Vec::as_slice);
            in_force_on(held, today, weights).is_none()
        });
        missing.without_certificate = u32::try_from(lapsed.count()).unwrap_or_default();
    }
    let confirmed = views.iter().all(|view| view.standing() == PlacementStanding::Confirmed);
    missing.only_completion = missing.any_ticked && confirmed && missing.without_certificate == 0;
    Ok(Some(missing))
}
