import { Hono } from 'hono'
import { handle } from 'hono/aws-lambda'

/** The least that answers over HTTP: what the functions are held against. */
export const handler = handle(new Hono().all('*', (c) => c.json({ ok: true })))
