import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const FENCED = /^```[\s\S]*?^```$/gm
const LINK = /\]\(([^)\s]+)\)/g
const HEADING = /^#+ (.+)$/gm

/**
 * Finds the links in all Markdown files of a folder whose file or heading is not in that folder. Links to other sites are not followed.
 *
 * @param {string} folder
 * @returns {string[]} one line for each dead link: the page, and its target
 */
export function deadLinks(folder) {
  const pages = pagesBelow(folder, '')
  return pages.flatMap(page => {
    const targets = [...readPage(join(folder, page)).matchAll(LINK)].map(match => match[1])
    return targets.filter(target => isDead(folder, page, target)).map(target => `${page}: ${target}`)
  })
}

/**
 * Lists the Markdown files below a folder, relative to `root`. Folders of installed packages and of Git are left out.
 *
 * @param {string} root
 * @param {string} folder relative to `root`
 * @returns {string[]}
 */
function pagesBelow(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    if (!entry.isDirectory()) return path.endsWith('.md') ? [path] : []
    return ['node_modules', '.git'].includes(entry.name) ? [] : pagesBelow(root, path)
  })
}

/**
 * @param {string} folder
 * @param {string} page relative to the folder
 * @param {string} target
 * @returns {boolean}
 */
function isDead(folder, page, target) {
  if (/^(https?|mailto):/.test(target)) return false
  const [path, heading] = target.split('#')
  const file = path === '' ? page : normalize(join(dirname(page), path))
  if (file.startsWith('..') || !existsSync(join(folder, file))) return true
  return heading !== undefined && !headingsOf(join(folder, file)).includes(heading)
}

/**
 * Lists the names of a page's headings as GitHub derives them.
 *
 * @param {string} file
 */
function headingsOf(file) {
  return [...readPage(file).matchAll(HEADING)].map(([, text]) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  )
}

/**
 * Reads a page without its blocks of code.
 *
 * @param {string} file
 */
function readPage(file) {
  return readFileSync(file, 'utf8').replace(FENCED, '')
}
