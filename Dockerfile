# One image for the API (`node dist/src/main.js`) and the workers (`node dist/workers/main.js`). Both end gracefully on
# SIGTERM themselves, so no init process is needed; docker-compose.yml has the health checks.

FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY build.js ./
COPY src src
COPY workers workers
COPY db db
RUN npm run build

# Optional packages are the embedded Postgres, which a container has no use for.
FROM node:20-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional

FROM node:20-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 NODE_OPTIONS=--enable-source-maps
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY db/migrations db/migrations
COPY db/roles.sql db/roles.sql
# A new volume takes over whose this folder is.
RUN install -d -o node -g node -m 0700 /var/lib/lethe/journal
USER node
EXPOSE 8080
HEALTHCHECK NONE
CMD ["node", "dist/src/main.js"]
