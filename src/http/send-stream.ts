import type { Response } from 'express';

/** An answer that is sent as it is made. It ends in one of the two. */
export interface AnswerStream {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** All of it has been sent, but for its end: the caller takes it for whole only when this succeeds. */
  readonly sent: () => Promise<void>;
  readonly broken: () => Promise<void>;
}

/** A caller that takes nothing for so long has gone away. */
const PATIENCE_MS = 60_000;

/**
 * Sends a stream at the pace of its reader. Without a length, so that the end of the answer is a sign of its own: it is
 * sent last, when everything else is done.
 *
 * @throws what making the answer throws; the caller of this cuts the connection then
 */
export async function sendStream(res: Response, stream: AnswerStream): Promise<void> {
  try {
    for await (const chunk of stream.chunks) {
      if (await isTaken(res, chunk)) continue;
      res.destroy();
      await stream.broken();
      return;
    }
    await stream.sent();
  } catch (error) {
    // Where even this fails, its time runs out.
    await stream.broken().catch(() => undefined);
    throw error;
  }
  res.end();
}

/** Waits until the chunk was handed to the network; false when nobody takes it. */
function isTaken(res: Response, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (taken: boolean) => {
      clearTimeout(timer);
      res.off('close', gone);
      resolve(taken);
    };
    const gone = () => {
      settle(false);
    };
    const timer = setTimeout(gone, PATIENCE_MS);
    res.once('close', gone);
    res.write(chunk, (error) => {
      settle(error === null || error === undefined);
    });
  });
}
