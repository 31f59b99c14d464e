import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate for 127.0.0.1 that nobody else trusts, made for one run. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  remove(): Promise<void>;
}

/** Undefined where the package that makes it is not installed: it is needed for developing alone. */
export async function makeCertificate(): Promise<Certificate | undefined> {
  const selfsigned = await import('selfsigned').catch(() => undefined);
  if (selfsigned === undefined) return undefined;
  const { cert, private: key } = await selfsigned.generate([
    { name: 'commonName', value: '127.0.0.1' },
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'bench-certificate-'));
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  return { certFile, keyFile, remove: () => rm(folder, { recursive: true, force: true }) };
}
