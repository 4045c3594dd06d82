/** What is used of Upstash's client, apart, so that it is loaded by the first command: what only reads Postgres sends none. */
export { Redis } from '@upstash/redis'
