//! One TCP connection of a session: its reader and its writer.
//!
//! Both do the cryptography and the system calls of their direction, and meet the session only
//! to hand over plaintext records. The reader is a task. The writer is a state that its own task
//! drives when the socket is full, and that whoever has something to send drives at once when it
//! rests: a small write then costs no task switch.

mod fate;
mod reader;
mod receive_buffer;
mod receiver;
mod target;
mod task_mutex;
mod writer;

pub(crate) use fate::Fate;
pub(crate) use reader::{Answer, ReadEnd, Reader};
pub(crate) use receiver::Receiver;
pub(crate) use target::Target;
pub(crate) use writer::Writer;
