import { describe, expect, test } from 'vitest'
import { ada, entity, ids, memory, note, type Scene, uuid } from './scene.ts'

/** Words that mean something to whoever does not quote them. */
export function names(scene: Scene): void {
  describe('names', () => {
    const names = [
      `O'Brien "the" \\ back\\\\slash`,
      '`backtick` ``two``',
      'line\nbreak\r\n\ttab',
      '👩‍👩‍👧‍👦 🎉 é é',
      'שלום مرحبا \u202e',
      `'); drop table graph.nodes; --`,
      `" }) DETACH DELETE n //`,
      '`]->() MATCH (n) SET n.subject = "x" //',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a name like any other
      '$1 ${x} {{y}} %s :param',
      '{"json": [1, null]}',
      '{a,b}',
      ' ',
      'ƒ'.repeat(100),
    ]

    test('of any characters are kept and followed as they are', async () => {
      const tenant = await scene.tenant()
      const ends = names.map((_, i) => uuid(300 + i))
      await scene.apply(
        tenant,
        entity(ada, 'Ada'),
        ...names.map((value, i) => entity(ends[i] as string, value, { properties: { type: 'other', value, normalized: value } })),
        memory(note, [], { relations: names.map((relation, i): [string, string, string] => [ada, relation, ends[i] as string]) }),
      )
      for (const [i, relation] of names.entries()) {
        expect(await scene.from(tenant, [ada], { via: [relation] })).toMatchObject({
          nodes: [{ id: ada }, { id: ends[i] }],
          edges: [{ from: ada, to: ends[i], relation }],
        })
      }
      expect(await scene.counts(tenant)).toEqual({ memories: 1, entities: names.length + 1, sessions: 0, edges: names.length })
    })

    test('of subjects and namespaces too', async () => {
      const tenant = await scene.tenant()
      for (const [i, name] of names.entries()) {
        const [subject, id, mentioning] = [`user:${name}`, uuid(400 + i), uuid(500 + i)]
        await scene.apply(tenant, entity(id, name, { subject }), memory(mentioning, [id], { subject, namespace: `${subject}:work` }))
        const ranges = [{ low: `${subject}:`, high: `${subject};` }]
        expect(await ids(scene.from(tenant, [id], { ranges }))).toEqual([id, mentioning])
      }
    })
  })
}
