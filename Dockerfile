# Build and run on the same glibc: uWebSockets.js brings binaries for it, and none for musl.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
COPY workers ./workers
COPY load ./load
RUN npm run build && npm prune --omit=dev
# Of its binaries for all platforms, 133 MB, the one for this platform and this Node is kept.
RUN node -e "const fs = require('node:fs'); \
  const bin = 'node_modules/uWebSockets.js/dist/bin'; \
  const mine = ['uws', process.platform, process.arch, process.versions.modules].join('_') + '.node'; \
  for (const file of fs.readdirSync(bin)) if (file !== mine) fs.rmSync(bin + '/' + file); \
  if (!fs.existsSync(bin + '/' + mine)) throw new Error('no ' + mine)"

FROM node:22-bookworm-slim
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# Off loopback the admin port needs a token: set ADMIN_TOKEN. Health never does.
ENV NODE_ENV=production ADMIN_HOST=0.0.0.0 DATA_DIR=/data
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/cli.js"]
CMD ["serve"]
