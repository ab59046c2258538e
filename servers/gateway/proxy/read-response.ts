import type { AnswerBody } from './response-body.js'

/** The most bytes of one JSON answer, decompressed: what is larger is no answer but an attack. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024

interface WholeBody {
  /** All of it came, and it is not too long. */
  ok: true
  text: string
}

interface BrokenBody {
  ok: false
  why: string
}

/** Reads an answer to its end; calls back once. */
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
