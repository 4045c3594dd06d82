import type { Sql } from '../sql/direct.ts'

export interface QueueSettings {
  /** How long a received message belongs to its receiver. */
  visibilityMs: number
  /** Where a message goes that was received this often without being deleted. */
  redrive?: { to: string; maxReceives: number }
}

/** What a sender says beside the body, by name. */
export type Attributes = Record<string, { DataType: string; StringValue: string }>

export interface Sent {
  body: string
  attributes?: Attributes | undefined
}

export interface Message {
  messageId: string
  receipt: string
  body: string
  attributes: Attributes | null
  receives: number
  sentAt: Date
  firstReceivedAt: Date
}

/** Queues as rows, so that messages survive everything the database survives. */
export interface QueueTable {
  /** Message ids, in the order of what was sent. */
  send(queue: string, messages: readonly Sent[]): Promise<string[]>
  /** Messages nobody else has, at most `max`; those received too often are moved to the dead-letter queue instead. */
  receive(queue: string, settings: QueueSettings, max: number): Promise<Message[]>
  /** Deletes what these receipts still hold; an outdated one changes nothing. */
  remove(queue: string, receipts: readonly string[]): Promise<void>
  changeVisibility(queue: string, receipt: string, ms: number): Promise<void>
  /** Gives back what was received for somebody who has gone: visible at once, as if never received. */
  release(queue: string, receipts: readonly string[]): Promise<void>
  counts(queue: string): Promise<{ visible: number; invisible: number }>
}

/** `if not exists` is no protection against a twin that starts at the same moment; the lock is. */
const CREATE = `do $$ begin
  perform pg_advisory_xact_lock(hashtext('twofold.queue'));
  create schema if not exists queue;
  create table if not exists queue.messages (
    id bigint generated always as identity primary key,
    message_id uuid not null default gen_random_uuid(),
    queue text not null,
    body text not null,
    sent_at timestamptz not null default now(),
    visible_at timestamptz not null default now(),
    first_received_at timestamptz,
    receives int not null default 0,
    receipt uuid
  );
  create index if not exists messages_due on queue.messages (queue, visible_at);
  alter table queue.messages add column if not exists attributes jsonb;
end $$`

const SEND = `
  with sent as (
    insert into queue.messages (queue, body, attributes)
    select $1, message->>'body', message->'attributes' from jsonb_array_elements($2::jsonb) with ordinality as given (message, place) order by place
    returning id, message_id)
  select message_id from sent order by id`

const RECEIVE = `
  with due as materialized (
    select id, receives >= $4::int as dead from queue.messages
    where queue = $1 and visible_at <= now()
    order by visible_at, id limit $2::int for update skip locked),
  redriven as (
    update queue.messages m set queue = $5, receives = 0, receipt = null, visible_at = now(), first_received_at = null
    from due where m.id = due.id and due.dead)
  update queue.messages m
  set receives = receives + 1, receipt = gen_random_uuid(), first_received_at = coalesce(first_received_at, now()),
    visible_at = now() + $3::float8 * interval '1 ms'
  from due where m.id = due.id and not due.dead
  returning m.message_id, m.receipt, m.body, m.attributes, m.receives, extract(epoch from m.sent_at) * 1000 as sent, extract(epoch from m.first_received_at) * 1000 as received`

const REMOVE = 'delete from queue.messages where queue = $1 and receipt = any($2::uuid[])'
const CHANGE = `update queue.messages set visible_at = now() + $3::float8 * interval '1 ms' where queue = $1 and receipt = $2::uuid`
const RELEASE =
  'update queue.messages set visible_at = now(), receives = receives - 1, receipt = null where queue = $1 and receipt = any($2::uuid[])'
const COUNTS =
  'select count(*) filter (where visible_at <= now()) as visible, count(*) filter (where visible_at > now()) as invisible from queue.messages where queue = $1'

/** Creates schema `queue` where it is missing; `sql` must speak as the owner of the database. */
export async function openQueueTable(sql: Sql): Promise<QueueTable> {
  await sql(CREATE)
  const uuids = (receipts: readonly string[]) => `{${receipts.filter((receipt) => UUID.test(receipt)).join(',')}}`
  return {
    send: async (queue, messages) => (await sql(SEND, [queue, JSON.stringify(messages)])).map((row) => row.message_id as string),
    async receive(queue, { visibilityMs, redrive }, max) {
      const rows = await sql(RECEIVE, [queue, max, visibilityMs, redrive?.maxReceives ?? 2_147_483_647, redrive?.to ?? queue])
      return rows.map((row) => ({
        messageId: row.message_id as string,
        receipt: row.receipt as string,
        body: row.body as string,
        attributes: row.attributes === null ? null : (JSON.parse(row.attributes as string) as Attributes),
        receives: Number(row.receives),
        sentAt: new Date(Number(row.sent)),
        firstReceivedAt: new Date(Number(row.received)),
      }))
    },
    remove: async (queue, receipts) => void (await sql(REMOVE, [queue, uuids(receipts)])),
    changeVisibility: async (queue, receipt, ms) => void (UUID.test(receipt) && (await sql(CHANGE, [queue, receipt, ms]))),
    release: async (queue, receipts) => void (await sql(RELEASE, [queue, uuids(receipts)])),
    async counts(queue) {
      const [row] = await sql(COUNTS, [queue])
      return { visible: Number(row?.visible), invisible: Number(row?.invisible) }
    },
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
