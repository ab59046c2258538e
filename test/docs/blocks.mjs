const BLOCK = /^```(\S+)[ ]?(.*)\n([\s\S]*?)^```$/gm

/**
 * One block of code of a page.
 *
 * @typedef {object} Block
 * @property {string} language the first word of the block's first line
 * @property {string} note the rest of that line
 * @property {string} code
 * @property {string} place `page:line` of the block's first line
 * @property {boolean} follows whether nothing stands between it and the block before
 */

/**
 * Lists the blocks of code of a page that name their language, in their order.
 *
 * @param {string} page its path, for the places of the blocks
 * @param {string} text
 * @returns {Block[]}
 */
export function blocksOf(page, text) {
  let end = -1
  return [...text.matchAll(BLOCK)].map(({ 0: whole, 1: language, 2: note, 3: code, index }) => {
    const before = text.slice(0, index)
    const follows = end !== -1 && before.slice(end).trim() === ''
    end = index + whole.length
    return { language, note, code, place: `${page}:${before.split('\n').length}`, follows }
  })
}
