import { type Known, revised, saying, superseded, withMemories } from '../world.ts'
import { fact, key, settled } from './facts.ts'
import type { Setting } from './scene.ts'

const hearing = (n: number, contents: readonly string[], more: object = {}) => ({
  ...{ method: 'POST', path: '/v1/memories/from-messages', headers: key(n) },
  body: { userId: 'alice', messages: contents.map((content) => ({ role: 'user', name: 'Alice', content })), ...more },
})

const said = ({ content, people }: Known): Known => ({ ...saying(content, people), speaker: 'Alice' })

/** What begins with `anew` says what is so in the place of what began with `fact`: the first of them of the same thing, the second of another. */
const judged = ({ messages, known }: any) => ({
  facts: messages.map(({ number, text }: any, i: number) => {
    const [word] = text.replace(/^anew/, 'fact').split(' ')
    const before = known.find((it: any) => it.text.startsWith(`${word} `))
    return { message: number, text, event: before ? ['update', 'supersede'][i % 2] : 'add', known: before?.number ?? null }
  }),
})

/** What is heard. */
export const messages: Record<string, Setting> = {
  'remember messages': async (at) => {
    const world = await settled(at)
    const two = [fact(at.n, 3), fact(at.n, 4)].map(said)
    const contents = two.map(({ content }) => content)
    const request = hearing(at.n, contents, { infer: false })
    return { does: { request }, worlds: [world, withMemories(world, ...two)], about: fact(at.n, 2).id }
  },
  'remember messages, without an idempotency key': async (at) => {
    const world = await settled(at)
    const one = said(fact(at.n, 3))
    const { headers: _, ...request } = hearing(at.n, [one.content], { infer: false })
    return { does: { request }, worlds: [world, withMemories(world, one)], about: fact(at.n, 2).id }
  },
  'remember what messages say, beside what is known': async (at) => {
    const before = await settled(at)
    at.stage.say(judged)
    const [first, second] = [fact(at.n, 1), fact(at.n, 2)]
    const people = ['Cleo', 'Bob']
    const contents = [1, 2].map((i) => `anew${at.n}x${i} is of Cleo and Bob`) as [string, string]
    const added = saying(contents[1], people)
    const updated = revised(before, first.id, { content: contents[0], people })
    const after = superseded(withMemories(updated, added), second.id, added.id)
    return { does: { request: hearing(at.n, contents) }, worlds: [before, after], about: second.id }
  },
  'remember a turn': async (at) => {
    const world = await settled(at)
    const { people } = fact(at.n, 3)
    const turn = { query: `asked${at.n} of whom`, answer: `of ${people.join(' and ')}`, userId: 'alice', remember: true }
    const request = { method: 'POST', path: '/v1/conversations/talk/turns', body: turn, headers: key(at.n) }
    return {
      does: { request },
      worlds: [world, withMemories(world, saying(`${turn.query}\n${turn.answer}`, people))],
      about: fact(at.n, 2).id,
    }
  },
}
