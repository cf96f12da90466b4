//! Policy files: the dated rules of a province, read and checked.
