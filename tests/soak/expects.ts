import { type Answered, type Model, type Outcome, twinsIn } from './model.ts'
import type { MemoryInput, Request } from './requests.ts'

const CLASHES = new Set(['conflict', 'in_progress'])

function again(model: Model, known: Answered, request: Request): Outcome {
  if (known.gone) return 'gone'
  if (known.hash !== request.hash) return 'idempotency_mismatch'
  if (known.ids.some((id) => model.memories.get(id)?.pending)) return 'in_progress'
  return known.ids.every((id) => model.memories.has(id)) ? 'again' : 'gone'
}

function taken(model: Model, input: MemoryInput): Outcome {
  const known = input.id === undefined ? undefined : model.memories.get(input.id)
  if (known && known.hash === JSON.stringify(input) && !known.pending) return 'again'
  if (known) return known.pending ? 'in_progress' : 'conflict'
  const holder = model.holder(input.namespace, input.key, input.id)
  return holder ? (holder.pending ? 'in_progress' : 'conflict') : 'ok'
}

/** How this request must be answered at this moment, when nothing goes wrong. */
export function expects(model: Model, request: Request, at: number): Outcome {
  const known = model.fresh(request, at)
  const passed = (time: string | null | undefined) => typeof time === 'string' && Date.parse(time) <= at
  switch (request.verb) {
    case 'remember':
      if (passed(request.input.expiresAt)) return 'invalid'
      return known ? again(model, known, request) : taken(model, request.input)
    case 'batch': {
      if (request.atomic && twinsIn(request.items).includes(true)) return 'conflict'
      if (known) return known.gone || known.hash !== request.hash ? again(model, known, request) : 'again'
      return (request.atomic && request.items.map((item) => taken(model, item)).find((outcome) => CLASHES.has(outcome))) || 'ok'
    }
    case 'update': {
      const m = model.readable(request.id)
      const there = m && !m.deleted && !passed(m.expiresAt)
      if (!there) return known ? again(model, known, request) : 'not_found'
      if (request.ifMatch !== null && request.ifMatch !== m.version) return known ? again(model, known, request) : 'version_mismatch'
      if (passed(request.changes.expiresAt)) return 'invalid'
      if (known) return again(model, known, request)
      const key = request.changes.key === undefined ? m.key : request.changes.key
      return model.holder(m.namespace, key, m.id) ? 'conflict' : 'ok'
    }
    case 'restore': {
      const m = model.readable(request.id)
      if (!m) return known ? again(model, known, request) : 'not_found'
      const past = model.past(m, request.version)
      if (!past) return 'not_found'
      if (known) return again(model, known, request)
      return model.holder(m.namespace, past.key, m.id) ? 'conflict' : 'ok'
    }
    case 'forget': {
      if (known) return forgotten(model, known, request)
      const m = model.readable(request.id)
      return m && (request.hard || !m.deleted) ? 'ok' : 'not_found'
    }
    case 'start':
      if (known) return again(model, known, request)
      return model.sessions.has(request.session) ? 'conflict' : 'ok'
    case 'end': {
      if (known) return again(model, known, request)
      const session = model.sessions.get(request.session)
      return session ? (session.ended ? 'invalid_transition' : 'ok') : 'not_found'
    }
    default:
      return known ? again(model, known, request) : 'ok'
  }
}

/** A deletion is answered the same whether or not its memory is there. */
function forgotten(model: Model, known: Answered, request: Request): Outcome {
  if (known.gone) return 'gone'
  if (known.hash !== request.hash) return 'idempotency_mismatch'
  return 'id' in request && model.memories.get(request.id)?.pending ? 'in_progress' : 'again'
}
