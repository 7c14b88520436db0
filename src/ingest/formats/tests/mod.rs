//! Formats against what their documents say: good records, and each kind of bad one by name.

mod broken;
mod documents;
mod gateway;
mod generated;
mod mapped;
mod one_pass;

use super::*;
use crate::model::CardName;

/// What each piece of a message says, in a line.
fn lines(format: Platform, bytes: &[u8]) -> Vec<String> {
    let (decoder, mut buffers) = (Decoder::of("f", format), Buffers::default());
    decoder.pieces(bytes).iter().map(|piece| line(&decoder.read(piece, &mut buffers))).collect()
}

fn line(read: &Result<Said<'_>, Unreadable>) -> String {
    use crate::codec::time::text;
    match read {
        Ok(Said::Cdr(c)) => {
            format!(
                "cdr {} {} {} {} up {} down {}",
                name(c.card),
                c.id,
                text(c.start),
                text(c.end),
                c.up,
                c.down
            )
        }
        Ok(Said::Nobodys(c)) => format!("nobody's {}", c.id),
        Ok(Said::Reading(r)) => {
            format!("{} {} {} tx {} rx {}", r.counter, name(r.card), text(r.at), r.tx, r.rx)
        }
        Ok(Said::Aside(what)) => format!("aside: {what}"),
        Err(error) => format!("error: {error}"),
    }
}

fn name(card: CardName) -> String {
    crate::codec::directory::name_text(card)
}
