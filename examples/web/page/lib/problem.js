/** Something a player is told of: `code` names the sentence in the texts. */
export class Problem extends Error {
  constructor(code, detail = "") {
    super(detail ? `${code}: ${detail}` : code);
    this.code = code;
  }
}
