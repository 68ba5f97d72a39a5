//! The greeting: both sides say what they speak and prove that they have the secret. A side that cannot
//! gets no further, and learns nothing.

use super::frame::Frames;
use super::hex::Hex;
use super::secret::{NONCE_BYTES, Nonces, Secret, Side, nonce};
use super::wire::{AgentGreeting, CoordinatorGreeting, PROTOCOL, Welcome, shown};
use super::{GREETING_BYTES_MAX, GREETING_TIMEOUT, VERSION, WireError};

/// Greets a coordinator.
pub(super) fn accept(frames: &mut Frames, secret: Option<&Secret>) -> Result<(), WireError> {
    let ours = nonce().map_err(WireError::Connection)?;
    frames.send(&AgentGreeting {
        protocol: PROTOCOL.to_owned(),
        version: VERSION,
        nonce: Hex(ours.clone()),
        secret: secret.is_some(),
    })?;
    let greeting: CoordinatorGreeting = frames.receive(GREETING_BYTES_MAX, GREETING_TIMEOUT)?;
    let checked = check(&greeting.protocol, greeting.version, &greeting.nonce);
    let nonces = Nonces { agent: ours, coordinator: greeting.nonce.0 };
    let checked = checked.and_then(|()| match (secret, &greeting.proof) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(WireError::NoSecretHere),
        (Some(secret), Some(proof)) => {
            let right = secret.is_proof(Side::Coordinator, &nonces, &proof.0);
            if right { Ok(()) } else { Err(WireError::OtherSecret) }
        }
    });
    if let Err(error) = checked {
        frames.send(&Welcome::Refused { reason: error.to_string() })?;
        return Err(error);
    }
    let proof = secret.map(|secret| Hex(secret.prove(Side::Agent, &nonces)));
    frames.send(&Welcome::Welcome { proof })?;
    authenticate(frames, secret, Side::Agent, &nonces);
    Ok(())
}

/// Greets an agent.
pub(super) fn connect(frames: &mut Frames, secret: Option<&Secret>) -> Result<(), WireError> {
    let greeting: AgentGreeting = frames.receive(GREETING_BYTES_MAX, GREETING_TIMEOUT)?;
    check(&greeting.protocol, greeting.version, &greeting.nonce)?;
    match (secret, greeting.secret) {
        (Some(_), false) => return Err(WireError::NoSecretThere),
        (None, true) => return Err(WireError::NoSecretHere),
        _ => {}
    }
    let ours = nonce().map_err(WireError::Connection)?;
    let nonces = Nonces { agent: greeting.nonce.0, coordinator: ours.clone() };
    frames.send(&CoordinatorGreeting {
        protocol: PROTOCOL.to_owned(),
        version: VERSION,
        nonce: Hex(ours),
        proof: secret.map(|secret| Hex(secret.prove(Side::Coordinator, &nonces))),
    })?;
    let proof = match frames.receive(GREETING_BYTES_MAX, GREETING_TIMEOUT)? {
        Welcome::Welcome { proof } => proof,
        Welcome::Refused { reason } => return Err(WireError::Refused(shown(&reason))),
    };
    // The agent may be somebody else as well.
    if let Some(secret) = secret {
        let proof = proof.ok_or(WireError::NoSecretThere)?;
        if !secret.is_proof(Side::Agent, &nonces, &proof.0) {
            return Err(WireError::OtherSecret);
        }
    }
    authenticate(frames, secret, Side::Coordinator, &nonces);
    Ok(())
}

fn check(protocol: &str, version: u32, nonce: &Hex) -> Result<(), WireError> {
    if protocol != PROTOCOL {
        return Err(WireError::OtherProtocol);
    }
    if version != VERSION {
        return Err(WireError::Version { theirs: version, ours: VERSION });
    }
    if nonce.0.len() != NONCE_BYTES {
        return Err(WireError::OutOfPlace("nonce"));
    }
    Ok(())
}

fn authenticate(frames: &mut Frames, secret: Option<&Secret>, side: Side, nonces: &Nonces) {
    if let Some(secret) = secret {
        let (ours, theirs) =
            (secret.frame_key(side, nonces), secret.frame_key(side.other(), nonces));
        frames.authenticate(ours, theirs);
    }
}

#[cfg(test)]
mod tests;
