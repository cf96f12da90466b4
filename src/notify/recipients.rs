//! To whom a notice goes. The one place that knows: employers by the targets that the settings name for them, staff by their division.

use crate::config::RemindSettings;

/// Targets that hear of an employer's reminder, such as a gateway that knows the employers' numbers; none: it can be told to nobody.
pub fn of_employer(settings: &RemindSettings) -> &[String] {
    &settings.employers
}

/// Divisions whose staff are told, each with its targets.
pub fn of_staff(settings: &RemindSettings) -> impl Iterator<Item = (&str, &[String])> {
    settings.staff.iter().map(|(division, targets)| (division.as_str(), targets.as_slice()))
}
