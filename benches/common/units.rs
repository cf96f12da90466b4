//! Codes of made-up units.

/// GB 32100 under area 369900, another one for every `serial` below a million.
pub fn credit_code(serial: u64) -> String {
    const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const SUBJECT_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let mut code = format!("91369900MA{:06}", serial * 7919 % 1_000_000);
    let subject = |sign: u8| if sign.is_ascii_digit() { u32::from(sign - b'0') } else { u32::from(sign - b'A') + 10 };
    let sum: u32 = SUBJECT_WEIGHTS.iter().zip(code.bytes().skip(8)).map(|(weight, sign)| weight * subject(sign)).sum();
    code.push(match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from(b'0' + digit as u8),
    });
    let value = |sign: u8| ALPHABET.iter().position(|letter| *letter == sign).unwrap_or_default();
    let sum: usize = WEIGHTS.iter().zip(code.bytes()).map(|(weight, sign)| weight * value(sign)).sum();
    code.push(char::from(ALPHABET[(31 - sum % 31) % 31]));
    code
}
