import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import * as z from 'zod-own'
import { notes } from './notes.fixture.ts'
import { openapi } from './openapi.ts'
import { operation } from './operation.ts'

const about = { title: 'Notes', version: '1.0.0', description: 'For tests.' }
const document = openapi(notes as never[], about)

const plain = (name: string, input: z.ZodType, output: z.ZodType = z.string()) =>
  operation({ name, method: 'post', path: `/v1/${name}`, scope: null, summary: name, input, output, handle: () => '' as never })

test('the document is valid OpenAPI 3.1 and every reference in it resolves', async () => {
  const validator = new Validator()
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] as string)
  const find = (ref: string) =>
    ref
      .split('/')
      .slice(1)
      .reduce((at, part) => at?.[part], document)
  expect(refs.filter((ref) => find(ref) === undefined)).toEqual([])
  expect(refs.length).toBeGreaterThan(20)
})

test('the same operations give the same text in whatever order they come', () => {
  expect(JSON.stringify(openapi(notes.toReversed() as never[], about))).toBe(JSON.stringify(document))
})

test('an operation shows where each field goes, what it asks for and what it answers', () => {
  const patch = document.paths['/v1/notes/{id}'].patch
  expect(patch).toMatchObject({
    operationId: 'notes.update',
    tags: ['notes'],
    summary: 'Change a note.',
    security: [{ bearer: ['memories:write'] }],
  })
  expect(patch.parameters.map((each: { name?: string; in?: string; $ref?: string }) => each.$ref ?? `${each.in} ${each.name}`)).toEqual([
    'path id',
    'query dryRun',
    '#/components/parameters/RequestId',
    '#/components/parameters/OnBehalfOf',
    '#/components/parameters/IdempotencyKey',
    '#/components/parameters/IfMatch',
  ])
  expect(patch.requestBody.content['application/json'].schema).toEqual({
    type: 'object',
    properties: { content: { type: 'string' } },
    additionalProperties: false,
    required: ['content'],
  })
  expect(Object.keys(patch.responses)).toEqual(expect.arrayContaining(['200', '400', '401', '409', '412', '413', '415', '503']))
  const post = document.paths['/v1/notes'].post
  expect(post.requestBody.content['application/json']).toEqual({
    schema: { $ref: '#/components/schemas/Draft' },
    example: { content: 'Prefers tea.' },
  })
  expect(post.responses['201'].headers).toHaveProperty('ETag')
  expect(document.paths['/docs'].get).toMatchObject({ security: [], responses: { 200: { content: { 'text/html; charset=utf-8': {} } } } })
  expect(document.paths['/v1/health/ready'].get.security).toEqual([{ bearer: [] }])
})

test('a schema that means something else in a request than in an answer, itself or by a part, has two names', () => {
  const Part = z.object({ n: z.int().default(1) }).meta({ id: 'Part' })
  const Whole = z.strictObject({ part: Part }).meta({ id: 'Whole' })
  const Same = z.string().meta({ id: 'Same' })
  const { components, paths } = openapi(
    [plain('a', z.strictObject({ whole: Whole, same: Same }), z.object({ whole: Whole, same: Same }))] as never[],
    about,
  )
  expect(Object.keys(components.schemas)).toEqual(['Part', 'PartInput', 'Problem', 'Same', 'Whole', 'WholeInput'])
  expect(components.schemas.WholeInput.properties.part.$ref).toBe('#/components/schemas/PartInput')
  expect(paths['/v1/a'].post.requestBody.content['application/json'].schema.properties).toEqual({
    whole: { $ref: '#/components/schemas/WholeInput' },
    same: { $ref: '#/components/schemas/Same' },
  })
})

test('any JSON is one schema, however often it is meant', () => {
  const Held = z.object({ value: z.json().nullable() }).meta({ id: 'Held' })
  const input = z.strictObject({ first: z.json().optional().meta({ description: 'Anything.' }), second: z.array(z.json()) })
  const { components } = openapi([plain('j', input, Held), plain('k', z.strictObject({}), z.array(Held))] as never[], about)
  expect(Object.keys(components.schemas)).toEqual(['Held', 'Json', 'Problem'])
})

test('two schemas of one name, a nameless circle, or a reference to nothing, stop the document', () => {
  const documentOf =
    (...inputs: z.ZodType[]) =>
    () =>
      openapi(inputs.map((input, i) => plain(`p${i}`, input)) as never[], about)
  const circle: z.ZodType = z.strictObject({
    get inner() {
      return z.array(circle)
    },
  })
  expect(documentOf(z.strictObject({ x: z.unknown().meta({ $ref: '#/components/schemas/Nobody' }) }))).toThrow('No schema is called Nobody')
  expect(documentOf(circle)).toThrow('A part of p0.input refers to itself')
  expect(documentOf(z.strictObject({ circle: z.array(circle) }))).toThrow('A part of p0.input refers to itself')
  const twice = [z.string(), z.number()].map((schema) => z.strictObject({ x: schema.meta({ id: 'Twice' }) }))
  expect(documentOf(...twice)).toThrow('Two schemas are called Twice')
})
