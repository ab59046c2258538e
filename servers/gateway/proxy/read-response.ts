import type { AnswerBody } from './response-body.js'

/** Maximum size of one JSON answer in bytes, after decompression. A larger answer could fill the memory. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024

interface WholeBody {
  /** The whole body was read. */
  ok: true
  text: string
}

interface BrokenBody {
  ok: false
  /** The reason, as a clause that follows `the upstream`. */
  why: string
}

/** Reads a body to its end. Calls `done` once, with the text or with the reason for a failure. */
export function readAnswer(body: AnswerBody, done: (read: WholeBody | BrokenBody) => void): void {
  const chunks: Buffer[] = []
  let size = 0
  let over = false
  const end = (read: WholeBody | BrokenBody) => {
    if (over) return
    over = true
    done(read)
  }
  body.read({
    data(piece) {
      size += piece.length
      if (size <= MAX_ANSWER_BYTES) chunks.push(piece)
      else if (!over) {
        body.destroy()
        end({ ok: false, why: `answered with more than ${MAX_ANSWER_BYTES} bytes` })
      }
    },
    end() {
      const whole = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
      end({ ok: true, text: whole.toString('utf8') })
    },
    broken: () => end({ ok: false, why: 'broke off in the middle of its answer' }),
  })
}
