use super::*;

const RFC7515_A1_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const RFC7515_A2_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RFC7515_CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn keys(jwks: &str, algorithms: &[JwtAlgorithm]) -> Keys {
    Keys::new(&KeyMaterial::Jwks(jwks.to_owned()), algorithms).map_err(|e| e.to_string()).unwrap()
}

#[track_caller]
fn check_example(jwk: &str, algorithm: JwtAlgorithm, header: &str, payload: &str, signature: &str) {
    let keys = keys(&format!("{{\"keys\":[{jwk}]}}"), &[algorithm]);
    let input = format!("{header}.{payload}");
    assert_eq!(keys.verify(algorithm, None, input.as_bytes(), signature), Ok(()));
    let other = format!("{header}.{payload}A");
    let verdict = keys.verify(algorithm, None, other.as_bytes(), signature);
    assert_eq!(verdict, Err(Reason::Signature));
}

#[test]
fn the_examples_of_the_rfcs_verify() {
    check_example(
        &format!(r#"{{"kty":"oct","k":"{RFC7515_A1_KEY}"}}"#),
        JwtAlgorithm::Hs256,
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        RFC7515_CLAIMS,
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    );
    check_example(
        &format!(r#"{{"kty":"RSA","n":"{RFC7515_A2_N}","e":"AQAB"}}"#),
        JwtAlgorithm::Rs256,
        "eyJhbGciOiJSUzI1NiJ9",
        RFC7515_CLAIMS,
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    check_example(
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
        JwtAlgorithm::Es256,
        "eyJhbGciOiJFUzI1NiJ9",
        RFC7515_CLAIMS,
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    check_example(
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        JwtAlgorithm::EdDsa,
        "eyJhbGciOiJFZERTQSJ9",
        "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
}

#[track_caller]
fn check_jwks(jwks: &str, algorithms: &[JwtAlgorithm], expect: Result<usize, &str>) {
    match (Keys::new(&KeyMaterial::Jwks(jwks.to_owned()), algorithms), expect) {
        (Ok(keys), Ok(count)) => assert_eq!(keys.keys.len(), count, "{jwks}"),
        (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
        (Ok(_), Err(text)) => panic!("it should say: {text}"),
        (Err(error), Ok(_)) => panic!("{error}"),
    }
}

#[test]
fn keys_for_other_uses_are_passed_over() {
    use JwtAlgorithm::{EdDsa, Hs256, Rs256};
    let rsa = |extra: &str| {
        format!(
            r#"{{"keys":[{{"kty":"RSA","n":"{RFC7515_A2_N}","e":"AQAB"{extra}}},{{"kty":"new"}},7]}}"#
        )
    };
    check_jwks(&rsa(""), &[Rs256], Ok(1));
    check_jwks(&rsa(r#","use":"sig","alg":"RS256""#), &[Rs256], Ok(1));
    check_jwks(&rsa(r#","key_ops":["verify"]"#), &[Rs256], Ok(1));
    let nothing_fits = Err("no key of the JWKS fits the accepted algorithms (3 keys in it)");
    check_jwks(&rsa(""), &[EdDsa, Hs256], nothing_fits);
    check_jwks(&rsa(r#","use":"enc""#), &[Rs256], nothing_fits);
    check_jwks(&rsa(r#","alg":"PS256""#), &[Rs256], nothing_fits);
    check_jwks(&rsa(r#","alg":"RSA-OAEP""#), &[Rs256], nothing_fits);
    check_jwks(&rsa(r#","key_ops":["encrypt"]"#), &[Rs256], nothing_fits);
    check_jwks(r#"{"keys":[]}"#, &[Rs256], Err("(0 keys in it)"));
    check_jwks(r#"{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}"#, &[Hs256], Err("(1 keys in it)"));
    check_jwks(r#"{"kty":"RSA"}"#, &[Rs256], Err("an array `keys`"));
    check_jwks("{\n  secret", &[Rs256], Err("invalid JSON at line 2, column"));
    check_jwks(r#"{"keys":[]}"#, &[], Err("at least one algorithm"));
}

#[test]
fn a_secret_must_be_long_enough_and_no_pem() {
    use JwtAlgorithm::{Hs256, Hs384, Hs512, Rs256};
    let make = |secret: &[u8], algorithms: &[JwtAlgorithm]| {
        Keys::new(&KeyMaterial::Secret(secret.to_vec()), algorithms).map(|_| ())
    };
    assert_eq!(make(&[7; 64], &[Hs256, Hs384, Hs512]), Ok(()));
    assert_eq!(make(&[7; 32], &[Hs256]), Ok(()));
    for (bytes, bytes_min, algorithm) in [(31, 32, Hs256), (47, 48, Hs384), (63, 64, Hs512)] {
        let expect = JwtKeyError::SecretTooShort { bytes, bytes_min, algorithm };
        assert_eq!(make(&vec![7; bytes], &[algorithm]), Err(expect));
    }
    let pem = b"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n";
    assert_eq!(make(pem, &[Hs256]), Err(JwtKeyError::SecretIsPem));
    let found = "a shared secret";
    assert_eq!(
        make(&[7; 64], &[Hs256, Rs256]),
        Err(JwtKeyError::Unfit { algorithm: Rs256, found })
    );
}

#[test]
fn a_pem_key_must_be_public_and_fit() {
    use JwtAlgorithm::{EdDsa, Es256, Hs256, Ps256, Rs256};
    let make = |pem: &str, algorithms: &[JwtAlgorithm]| {
        Keys::new(&KeyMaterial::PublicKeyPem(pem.as_bytes().to_vec()), algorithms).map(|_| ())
    };
    let key = |kind| rcgen::KeyPair::generate_for(kind).unwrap();
    let p256 = key(&rcgen::PKCS_ECDSA_P256_SHA256);
    let ed = key(&rcgen::PKCS_ED25519).public_key_pem();
    let rsa = key(&rcgen::PKCS_RSA_SHA256).public_key_pem();
    assert_eq!(make(&p256.public_key_pem(), &[Es256]), Ok(()));
    assert_eq!(make(&ed, &[EdDsa]), Ok(()));
    assert_eq!(make(&rsa, &[Rs256, Ps256]), Ok(()));
    for (pem, algorithm, found) in [
        (&rsa, Hs256, "an RSA key"),
        (&rsa, Es256, "an RSA key"),
        (&ed, Rs256, "an Ed25519 key"),
        (&p256.public_key_pem(), EdDsa, "an EC key on P-256"),
    ] {
        assert_eq!(make(pem, &[algorithm]), Err(JwtKeyError::Unfit { algorithm, found }));
    }
    assert_eq!(make(&p256.serialize_pem(), &[Es256]), Err(JwtKeyError::PrivateKey));
    let p384 = key(&rcgen::PKCS_ECDSA_P384_SHA384).public_key_pem();
    assert_eq!(make(&p384, &[Es256]), Err(JwtKeyError::Pem));
    assert_eq!(make("nothing", &[Es256]), Err(JwtKeyError::Pem));
}

/// So many wrong keys, then the one of RFC 7515 §A.1.
#[track_caller]
fn check_tries(wrong: usize, key_id: Option<&str>, expect: Result<(), Reason>) {
    let wrong = format!(r#"{{"kty":"oct","kid":"wrong","k":"{}"}},"#, "A".repeat(80)).repeat(wrong);
    let right = format!(r#"{{"kty":"oct","kid":"right","k":"{RFC7515_A1_KEY}"}}"#);
    let keys = keys(&format!(r#"{{"keys":[{wrong}{right}]}}"#), &[JwtAlgorithm::Hs256]);
    let input = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC7515_CLAIMS}");
    let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let verdict = keys.verify(JwtAlgorithm::Hs256, key_id, input.as_bytes(), signature);
    assert_eq!(verdict, expect);
}

#[test]
fn the_key_id_selects_and_without_one_eight_keys_are_tried() {
    check_tries(7, None, Ok(()));
    check_tries(8, None, Err(Reason::Signature));
    check_tries(20, Some("right"), Ok(()));
    check_tries(20, Some("wrong"), Err(Reason::Signature));
    check_tries(20, Some("other"), Err(Reason::UnknownKey));
    check_tries(0, Some(""), Err(Reason::UnknownKey));
}

#[test]
fn no_text_shows_a_secret() {
    let material = KeyMaterial::Secret(b"geheim".to_vec());
    assert_eq!(format!("{material:?}"), "Secret(..)");
    let error = Keys::new(&material, &[JwtAlgorithm::Hs256]).map(|_| ()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("geheim"));
}
