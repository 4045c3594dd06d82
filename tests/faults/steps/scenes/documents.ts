import { documents as schedule } from '@twofold/functions/schedules/documents.ts'
import type { Asked } from '../stage.ts'
import { erased, type Known, saying, type World, withMemories } from '../world.ts'
import { fact, key, must, settled, someone, USER } from './facts.ts'
import type { Ground, Setting } from './scene.ts'

const section = (i: number) => `tells of ${someone(i)} and Bob`

/** One chunk of the file, which nobody gave an id. */
const part = (n: number, i: number): Known => ({
  ...saying(`file${n} › s${i}\n\n${section(i)}`, [someone(i), 'Bob']),
  chunk: true,
})

const putting = (n: number, parts: readonly number[], what?: string): Asked => {
  const content = parts.map((i) => `# s${i}\n\n${section(i)}`).join('\n\n')
  const body = { namespace: USER, filePath: `file${n}.md`, title: `file${n}`, content }
  return { method: 'PUT', path: '/v1/documents', body, headers: key(n, what) }
}

const version = (world: World, n: number, v: number): World => ({ ...world, documents: [`file${n}.md v${v} synced`] })

/** As it is at first: two chunks. */
const first = (world: World, n: number): World => version(withMemories(world, part(n, 1), part(n, 2)), n, 1)

/** As it is then: the second of them is another one. */
const second = (world: World, n: number): World => version(withMemories(erased(world, part(n, 2).id), part(n, 3)), n, 2)

const third = (world: World, n: number): World => version(withMemories(erased(world, part(n, 3).id), part(n, 4)), n, 3)

const removed = (world: World, n: number): World => ({ ...erased(erased(world, part(n, 1).id), part(n, 2).id), documents: [] })

async function indexed(at: Ground): Promise<{ world: World; id: string }> {
  const before = await settled(at)
  const { document } = await must(at.tenant, putting(at.n, [1, 2], 'first'))
  return { world: first(before, at.n), id: document.id }
}

const removing = (n: number, id: string): Asked => ({ method: 'DELETE', path: `/v1/documents/${id}`, headers: key(n, 'remove') })

/** A document of which no vector could be made. */
async function unread(at: Ground): Promise<World> {
  const before = await settled(at)
  await at.stage.withoutModels(() => must(at.tenant, putting(at.n, [1, 2], 'first')))
  const world = first(before, at.n)
  return { ...world, memories: world.memories.map((known) => ({ ...known, owes: known.chunk })) }
}

/** A document whose last chunk had no room in the list that put it: without that chunk, and with it. */
async function crowded(at: Ground): Promise<[World, World]> {
  const { world, id } = await indexed(at)
  const { stage, n } = at
  const { content } = part(n, 2)
  const its = `(select m.id from twofold.memories m join twofold.document_chunks c on c.memory_id = m.id where c.document_id = $1::uuid and m.content = $2)`
  await stage.owner(
    `delete from twofold.postings p using twofold.memories m where p.tenant_id = m.tenant_id and p.row = m.row and m.id in ${its}`,
    [id, content],
  )
  await stage.owner(`delete from twofold.memories where id in ${its}`, [id, content])
  await stage.owner(`update twofold.documents set to_place = 1, sync_status = 'pending', due_at = $2::timestamptz where id = $1::uuid`, [
    id,
    stage.deps.now().toISOString(),
  ])
  return [
    { ...world, memories: world.memories.filter((known) => known.content !== content) },
    { ...world, memories: world.memories.map((known) => ({ ...known, owes: known.content === content })) },
  ]
}

/** Files, and what a user puts or removes meanwhile. */
export const documents: Record<string, Setting> = {
  'index a document': async (at) => {
    const world = await settled(at)
    const after = first(world, at.n)
    const later = { does: [putting(at.n, [1, 3], 'later')], world: second(after, at.n) }
    return { does: { request: putting(at.n, [1, 2]) }, worlds: [world, after], later }
  },
  'index a document that is as it was': async (at) => {
    const { world } = await indexed(at)
    const later = { does: [putting(at.n, [1, 3], 'later')], world: second(world, at.n) }
    return { does: { request: putting(at.n, [1, 2]) }, worlds: [world], later }
  },
  'index the next version of a document': async (at) => {
    const { world } = await indexed(at)
    const after = second(world, at.n)
    const later = { does: [putting(at.n, [1, 4], 'later')], world: third(after, at.n) }
    return { does: { request: putting(at.n, [1, 3]) }, worlds: [world, after], later }
  },
  'remove a document': async (at) => {
    const { world, id } = await indexed(at)
    const after = removed(world, at.n)
    const later = { does: [putting(at.n, [3], 'later')], world: version(withMemories(after, part(at.n, 3)), at.n, 1) }
    return { does: { request: removing(at.n, id) }, worlds: [world, after], later }
  },
  'erase what a document does not hold any more': async (at) => {
    const { world } = await indexed(at)
    await must(at.tenant, putting(at.n, [1, 3], 'second'))
    const after = second(world, at.n)
    const later = { does: [putting(at.n, [1, 4], 'later')], world: third(after, at.n) }
    return { does: { schedule: 'documents' }, worlds: [after], later }
  },
  'erase a document that was removed': async (at) => {
    const { world, id } = await indexed(at)
    await must(at.tenant, removing(at.n, id))
    return { does: { schedule: 'documents' }, worlds: [removed(world, at.n)], about: fact(at.n, 2).id }
  },
  'make the vectors of a document': async (at) => {
    const world = await unread(at)
    const later = { does: [putting(at.n, [1, 3], 'later')], world: second(world, at.n) }
    return { does: { schedule: 'documents' }, worlds: [world], later }
  },
  'make the vectors of a document, once more': async (at) => {
    const world = await unread(at)
    await at.stage.withoutModels(() => schedule(at.stage.deps)())
    at.stage.pass(5_000)
    return { does: { schedule: 'documents' }, worlds: [world], about: fact(at.n, 2).id }
  },
  'go on with a document': async (at) => {
    const worlds = await crowded(at)
    const later = { does: [putting(at.n, [1, 3], 'later')], world: second(worlds[1], at.n) }
    return { does: { schedule: 'documents' }, worlds, later }
  },
  'go on with a document, Postgres refuses': async (at) => ({
    does: { schedule: 'documents' },
    worlds: await crowded(at),
    about: fact(at.n, 2).id,
    failing: [{ step: 'documents/go-on.ts place · db.asTenant (2)', with: 'postgres refuses' }],
  }),
}
