//! The bulk transfer that every byte stream is measured with.

use std::time::Duration;

use tcpls_benches::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{Load, stopwatch};

/// Moves the load from `near` to `far`; ends when all of it was read. The ends are kept until then.
pub(crate) async fn transfer<W, R>(mut near: W, mut far: R, load: Load) -> Result<Duration, Error>
where
    W: AsyncWrite + Send + Unpin + 'static,
    R: AsyncRead + Unpin,
{
    let start = stopwatch();
    let sender = tokio::spawn(async move {
        let block = vec![7; load.write];
        let mut left = load.bytes;
        while left > 0 {
            let piece = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
            near.write_all(block.get(..piece).unwrap_or_default())
                .await?;
            left -= u64::try_from(piece)?;
        }
        near.shutdown().await?;
        Ok::<_, Error>(near)
    });
    let mut buffer = vec![0; 256 * 1024];
    let mut received = 0;
    while received < load.bytes {
        match far.read(&mut buffer).await? {
            0 => return Err("the stream ended early".into()),
            count => received += u64::try_from(count)?,
        }
    }
    let took = start.elapsed();
    drop(sender.await??);
    Ok(took)
}
