//! Where a stream of gRPC messages stands: between two of them, or inside one. Looks at lengths only,
//! never at what the messages say.

/// Bytes before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Counts along with the bytes of a body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GrpcMessages {
    prefix: [u8; PREFIX_BYTES],
    prefix_bytes: usize,
    /// What the message is still to bring; 0: its prefix is not whole.
    left: usize,
    /// What there is of a message that is not whole, with its prefix.
    incomplete: usize,
}

impl GrpcMessages {
    /// More bytes came.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = if self.left > 0 { self.skip(bytes) } else { self.take_prefix(bytes) };
            self.incomplete += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.left == 0 && self.prefix_bytes == 0 {
                self.incomplete = 0;
            }
        }
    }

    fn skip(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        taken
    }

    fn take_prefix(&mut self, bytes: &[u8]) -> usize {
        let missing = &mut self.prefix[self.prefix_bytes..];
        let taken = bytes.len().min(missing.len());
        missing[..taken].copy_from_slice(&bytes[..taken]);
        self.prefix_bytes += taken;
        if self.prefix_bytes == PREFIX_BYTES {
            let [_, length @ ..] = self.prefix;
            self.left = u32::from_be_bytes(length) as usize;
            self.prefix_bytes = 0;
        }
        taken
    }

    /// Bytes of the last message, if it is not whole; 0: all that came are whole messages.
    pub(crate) const fn incomplete_bytes(&self) -> usize {
        self.incomplete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_messages_are_complete() {
        let stream = b"\0\0\0\0\x02ab\0\0\0\0\0\x01\0\0\x01\0";
        let long = [0; 256];
        for (bytes, incomplete) in [
            (&b""[..], 0),
            (&stream[..1], 1),
            (&stream[..5], 5),
            (&stream[..6], 6),
            (&stream[..7], 0),
            (&stream[..11], 4),
            (&stream[..12], 0),
            (&stream[..], 5),
            (&[&stream[..], &long[..255]].concat(), 260),
            (&[&stream[..], &long].concat(), 0),
        ] {
            for piece in [1, 3, 1_000] {
                let mut messages = GrpcMessages::default();
                bytes.chunks(piece).for_each(|bytes| messages.take(bytes));
                assert_eq!(messages.incomplete_bytes(), incomplete, "{bytes:?} by {piece}");
            }
        }
    }
}
