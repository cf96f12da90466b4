//! How values that are written as text are described in JSON Schema.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::decimal::Exact;
use super::ids::Uscc;
use super::money::Fen;
use super::month::Month;

macro_rules! text {
    ($($name:ident, $pattern:literal, $description:literal;)+) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    )+};
}

text! {
    Month, "^[0-9]{4}-(0[1-9]|1[0-2])$", "A month in Asia/Shanghai, YYYY-MM";
    Fen, "^-?[0-9]+(\\.[0-9]{1,2})?$", "An amount in yuan with two decimals";
    Exact, "^-?[0-9]+(\\.[0-9]+|/[0-9]+)?$", "An exact number: a decimal, or a fraction such as 29/12";
    Uscc, "^[0-9A-HJ-NP-RT-UW-Y]{18}$", "A unified social credit code (GB 32100-2015)";
}
