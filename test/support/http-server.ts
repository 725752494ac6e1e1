import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';

/** A server that listens on 127.0.0.1 at a port of its own. */
export interface RunningServer {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly origin: string;
  readonly port: number;
  /** Stops listening and cuts every connection, so that nothing outlives the test. */
  close(): Promise<void>;
}

/** Starts a node:http server for a test; `keepAlive` is as node sets it. */
export async function startHttpServer(listener: http.RequestListener): Promise<RunningServer> {
  return listen(http.createServer(listener));
}

/** Starts a node:net server for a test: the listener writes whatever bytes it likes. */
export async function startRawServer(listener: (socket: net.Socket) => void): Promise<RunningServer> {
  return listen(
    net.createServer((socket) => {
      // A cut connection is what such tests are about; it must not end the test process.
      socket.on('error', () => undefined);
      listener(socket);
    }),
  );
}

async function listen(server: net.Server): Promise<RunningServer> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = addressOf(server);
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function addressOf(server: net.Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address;
}
