import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, type Children, freePort, listening } from './children.js';

/** Children get no PATH. */
const programs = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'];

/** nginx as one would put it in front of several applications: one process, WebSockets passed on. */
function configOf(port: number, target: string, folder: string): string {
  return `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 20000; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream app { least_conn; server ${new URL(target).host}; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
  }
}
`;
}

/** Undefined where it is not installed. */
export async function startNginx(
  children: Children,
  target: string,
): Promise<{ child: Child; port: number } | undefined> {
  const program = programs.find((name) => spawnSync(name, ['-v']).status === 0);
  if (program === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'bench-nginx-'));
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  await writeFile(file, configOf(port, target, folder));
  const child = children.run(program, ['-c', file, '-p', folder]);
  child.process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await listening(child, port);
  return { child, port };
}
