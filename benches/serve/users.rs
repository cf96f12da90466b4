//! Employers' programs, and who is placed there: names and numbers as the program keeps them.

use std::path::Path;

use anyhow::Context;
use renzheng::crypto::{CryptoError, Keys, Place};
use renzheng::declare::users::{AskedReach, Period, add_token, add_user, grant};
use renzheng::domain::access::{Actor, Role};
use renzheng::domain::ids::Uscc;
use renzheng::store::Store;

use super::common::server::Server;
use super::common::units::credit_code;
use super::{DATABASE, province};

/// One employer's program.
#[derive(Clone, Debug)]
pub struct User {
    pub token: String,
    pub uscc: String,
    pub persons: Vec<i64>,
}

/// So many programs, each of another employer.
pub fn make(server: &Server, key_file: &Path, users: u32, employers: u64) -> anyhow::Result<Vec<User>> {
    eprintln!("making {users} programs");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let keys = Keys::read_file(key_file).context("the keys of the bench")?;
        let store = Store::open(&server.url(DATABASE), keys).await.context("the province")?;
        let operator = Actor::operator("bench");
        let (mut made, mut names) = (Vec::with_capacity(users as usize), Vec::new());
        for number in 0..u64::from(users) {
            let uscc = credit_code(1 + number * 104_729 % (employers - 2));
            let code = Uscc::parse(&uscc).map_err(|error| anyhow::anyhow!("{uscc}: {error}"))?;
            let account = format!("program.{number}");
            add_user(&store, &operator, &account, "某程序", Role::Employer).await?;
            grant(&store, &operator, &account, &AskedReach::Unit(code), Period::default()).await?;
            let token = add_token(&store, &operator, &account, 30).await?.token;
            let employer = store.find_unit(&code).await?.context("an employer")?;
            let placed = store.placed_persons(2025, employer, store.head().await?).await?;
            names.extend(placed.iter().map(|person| named(store.keys(), person.0)).collect::<Result<Vec<_>, _>>()?);
            made.push(User { token, uscc, persons: placed.into_iter().map(|person| person.0).collect() });
        }
        store.close().await;
        province::script(server, DATABASE, &key_file.with_file_name("names.sql"), &names.join("\n"), &[])?;
        server.settle(DATABASE)?;
        Ok(made)
    })
}

/// What gives a person a name and a number, encrypted as the program does; all numbers are of area code 360001.
fn named(keys: &Keys, person: i64) -> Result<String, CryptoError> {
    let place = |column| Place { table: "person", column, row: person };
    let number = id_number(person);
    let (number, name) =
        (keys.encrypt(number.as_bytes(), place("id_number"))?, keys.encrypt("某人".as_bytes(), place("name"))?);
    let (number, name) = (hex::encode(number), hex::encode(name));
    Ok(format!("update person set id_number = '\\x{number}', name = '\\x{name}' where person_id = {person};"))
}

/// GB 11643: area, a day of birth, three digits, a check sign.
fn id_number(person: i64) -> String {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let mut number =
        format!("360001{:04}{:02}{:02}{:03}", 1963 + person % 40, 1 + person % 12, 1 + person % 28, person % 1000);
    let sum: u32 = WEIGHTS.iter().zip(number.bytes()).map(|(weight, digit)| weight * u32::from(digit - b'0')).sum();
    number.push(char::from(b"10X98765432"[(sum % 11) as usize]));
    number
}
