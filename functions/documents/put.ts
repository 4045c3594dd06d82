import { DocumentAnswer } from '@twofold/core/documents/document.ts'
import { DocumentInput } from '@twofold/core/documents/input.ts'
import { putDocument } from '@twofold/core/documents/put.ts'
import { answer, MIB } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { queue } from '../parts/queue.ts'

export const put = operation({
  name: 'documents.put',
  method: 'put',
  path: '/v1/documents',
  scope: 'documents:write',
  summary: 'Index a file by its path. The same again changes nothing.',
  description:
    'The text is cut into chunks, each a memory of kind document, found by search. Of another version only the chunks that say something new are made and embedded; those it does not hold any more are out of every search at once.',
  input: DocumentInput,
  output: DocumentAnswer,
  statuses: [201],
  ifMatch: true,
  etag: ({ document }) => document.version,
  // A text of 4 MiB is longer as JSON; a function takes 6 MB.
  maxBytes: 6 * MIB - 64 * 1024,
  example: {
    namespace: 'project:apollo:docs',
    filePath: 'guide/brewing.md',
    title: 'Brewing',
    content: '# Tea\n\nSteep green tea at eighty degrees.',
  },
  needs: [embedder, extractor, queue],
  handle: async (deps, input, caller) => {
    const { answer: document, created, replayed } = await putDocument(deps, caller, input)
    return answer(document, { replayed, status: created ? 201 : 200 })
  },
})

export const handler = lambda(put)
