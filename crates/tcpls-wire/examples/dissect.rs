//! Shows the frames of a decrypted TCPLS record, given in hexadecimal.
//!
//! ```sh
//! cargo run -p tcpls-wire --example dissect -- 616263 0003 0000000000000000 00000000 02
//! ```
//!
//! Without arguments the digits come from standard input; white space, `:` and `0x` between them are
//! skipped. The record is what TLS calls the content: without its header, padding and type byte.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to its user"
)]

use std::{
    env,
    io::{self, Read},
    process::ExitCode,
};

use tcpls_wire::{Fin, Frame, FrameSet, RecordFrames, Role, StreamFrame, cursor::BackReader};

/// Data bytes that are shown of a Stream frame.
const SHOWN: usize = 24;

fn main() -> ExitCode {
    match input()
        .and_then(|text| bytes(&text))
        .and_then(|record| dissect(&record))
    {
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments, or else all of standard input.
fn input() -> Result<String, String> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if !arguments.is_empty() {
        return Ok(arguments.join(" "));
    }
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("standard input cannot be read: {error}"))?;
    Ok(text)
}

/// The bytes that hexadecimal digits stand for.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut high = None;
    for word in text.split(|c: char| c.is_whitespace() || c == ':') {
        for digit in word.trim_start_matches("0x").chars() {
            let value = digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok());
            let value = value.ok_or_else(|| format!("{digit:?} is not a hexadecimal digit"))?;
            match high.take() {
                None => high = Some(value),
                Some(high) => bytes.push(high << 4 | value),
            }
        }
    }
    match high {
        None => Ok(bytes),
        Some(_) => Err("the last byte has only one digit".into()),
    }
}

/// A line for the record and one for each frame, in processing order.
fn dissect(record: &[u8]) -> Result<Vec<String>, String> {
    let frames = RecordFrames::parse(record, FrameSet::Extended).map_err(|error| {
        let mut rest = BackReader::new(record);
        while !rest.is_empty() && Frame::take_last(&mut rest, FrameSet::Extended).is_ok() {}
        format!(
            "the frame that ends with byte {} is bad: {error}",
            rest.rest().len()
        )
    })?;
    let acknowledged = if frames.is_ack_eliciting() {
        "wants"
    } else {
        "wants no"
    };
    let mut lines = vec![format!(
        "record of {} bytes, {acknowledged} acknowledgment; frames from the end:",
        record.len()
    )];
    let mut end = record.len();
    for frame in frames {
        let start = end - frame.encoded_len();
        lines.push(format!("{start:6}..{end:<6} {}", describe(&frame)));
        end = start;
    }
    Ok(lines)
}

fn describe(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Padding(run) => format!("Padding           {} frames", run.length),
        Frame::Ping => "Ping".into(),
        Frame::Extended(frame) => format!("{:#04x}              {frame:?}", frame.frame_type()),
        Frame::Stream(frame) => describe_stream(frame),
        Frame::Ack(frame) => format!(
            "ACK               connection {}, records up to {}",
            frame.connection.as_u32(),
            frame.highest.as_u64()
        ),
        Frame::NewToken(frame) => format!(
            "New Token         sequence {}, value {}",
            frame.sequence.as_u8(),
            hex(frame.token.as_bytes())
        ),
        Frame::ConnectionReset(frame) => {
            format!("Connection Reset  connection {}", frame.connection.as_u32())
        }
        Frame::NewAddress(frame) => format!(
            "New Address       id {}, address {}, port {}",
            frame.id.as_u8(),
            frame.address,
            frame.port
        ),
        Frame::RemoveAddress(frame) => format!("Remove Address    id {}", frame.id.as_u8()),
        Frame::StreamChange(frame) => format!(
            "Stream Change     stream {}, next offset {}",
            frame.stream.as_u32(),
            frame.next_offset
        ),
    }
}

fn describe_stream(frame: &StreamFrame<'_>) -> String {
    let side = match frame.stream.initiator() {
        Role::Client => "client",
        Role::Server => "server",
    };
    let fin = match frame.fin {
        Fin::More => "",
        Fin::End => ", FIN",
    };
    let shown = frame.data.get(..SHOWN).unwrap_or(frame.data);
    let more = if shown.len() < frame.data.len() {
        ".."
    } else {
        ""
    };
    format!(
        "Stream            stream {} (opened by the {side}), offset {}, {} bytes{fin}  {}{more}",
        frame.stream.as_u32(),
        frame.offset,
        frame.data.len(),
        hex(shown)
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_shown_from_its_end() {
        let text = "61:62:63 0x0003 0000000000000000 00000000 02\n0000000000000007 00000000 04";
        let lines = bytes(text).and_then(|record| dissect(&record)).unwrap();
        assert_eq!(
            lines,
            [
                "record of 31 bytes, wants acknowledgment; frames from the end:",
                "    18..31     ACK               connection 0, records up to 7",
                "     0..18     Stream            stream 0 (opened by the client), offset 0, \
                 3 bytes  616263",
            ]
        );
    }

    #[test]
    fn bad_input_is_named() {
        let error = |text| bytes(text).and_then(|record| dissect(&record)).unwrap_err();
        assert_eq!(error("61 6"), "the last byte has only one digit");
        assert_eq!(error("6x"), "'x' is not a hexadecimal digit");
        let unknown = "the frame that ends with byte 2 is bad: unknown frame type 0x0a";
        assert_eq!(error("00 0a 01"), unknown);
        assert_eq!(
            error("04"),
            "the frame that ends with byte 1 is bad: a field is cut short"
        );
    }
}
