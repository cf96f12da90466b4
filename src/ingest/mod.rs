//! One pull: page by page, validated, refused rows quarantined, published in one transaction.
