import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

/** The port used last time when it is free, else any free one; TCP on 127.0.0.1. */
export async function choosePort(portFile: string): Promise<number> {
  const remembered = Number(await readFile(portFile, 'utf8').catch(() => ''));
  const usable = Number.isInteger(remembered) && remembered > 0 && remembered < 65_536;
  return (usable ? await tryPort(remembered) : undefined) ?? (await findFreePort());
}

async function findFreePort(): Promise<number> {
  const port = await tryPort(0);
  if (port === undefined) throw new Error('no TCP port on 127.0.0.1 is free');
  return port;
}

/** Listens for a moment. Resolves to the port (the system picks one for 0), undefined when it is taken. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : undefined);
      });
    });
  });
}
