import * as z from 'zod-own'
import { line, onePlace } from '../memories/fields.ts'
import { Namespace as AnyNamespace, Name } from '../namespaces/namespace.ts'
import { binaryIn } from './binary.ts'
import { DocumentType, FilePath, MOST_BYTES } from './document.ts'

/** Every chunk carries the metadata of its document. */
const MOST_METADATA = 8192

/** A document stays until it is deleted, and so do its chunks. */
const Namespace = AnyNamespace.refine(
  (namespace) => !namespace.startsWith('temp:'),
  'must not be temporary: documents stay until they are deleted',
)

export const DocumentInput = z
  .strictObject({
    namespace: Namespace.optional(),
    userId: Name.optional(),
    filePath: FilePath.meta({ description: 'Names the document inside its namespace.' }),
    title: line(500),
    documentType: DocumentType.optional().meta({
      description:
        'markdown is cut at its headings and blocks, anything else at its paragraphs. Told by the name of the file when it is left out.',
    }),
    content: z
      .string()
      .superRefine((content, context) => {
        const binary = binaryIn(content)
        if (binary !== null) context.addIssue({ code: 'custom', message: `must be text: ${binary}` })
      })
      .meta({ description: `At most ${MOST_BYTES} bytes in UTF-8.` }),
    metadata: z
      .record(z.string().max(255), z.json())
      .refine(
        (metadata) => Buffer.byteLength(JSON.stringify(metadata)) <= MOST_METADATA,
        `must be at most ${MOST_METADATA} bytes of JSON: every chunk carries it`,
      )
      .refine((metadata) => !Object.hasOwn(metadata, 'document'), {
        path: ['document'],
        message: 'is taken: chunks say there which document they are of',
      })
      .optional(),
  })
  .superRefine((input, context) => {
    onePlace(input, context)
    if (input.namespace === undefined && input.userId === undefined)
      context.addIssue({ code: 'custom', path: ['namespace'], message: 'is required, or userId in its place' })
  })
export type DocumentInput = z.infer<typeof DocumentInput>
