import { fill, h, percent } from "./dom";
import type { Field } from "./field";
import { lang, t, type Word } from "./i18n";
import type { Doc } from "./model";
import type { State } from "./state";
import { bare } from "./steps";
import { visible } from "./tokens";

/** Short answers to what learners ask, about the very layer that is looked at. */
export class Ask {
  readonly element = h("div", { class: "ask" });

  show(doc: Doc, field: Field, state: State): void {
    const layer = doc.layers[Number(state.layer)] ?? doc.layers[doc.stacks[state.stack].layers[0]];
    const { kind, mechanism } = layer.stored;
    const normalizer = bare(mechanism["normalizer"] ?? "softmax");
    const answers: [Word, string][] = [
      ["q_what", what(kind, field, state)],
      ["q_axis", axis(kind, normalizer, field, state)],
      ["q_sink", sink(field)],
      ["q_explains", explains(doc)],
      ["q_colors", colors(state)],
    ];
    const open = new Set(Array.from(this.element.querySelectorAll("details[open]"), (each) => each.getAttribute("data-name")));
    fill(this.element, ...answers.map(([word, answer], n) =>
      h("details", { "data-name": word, open: open.has(word) || (!open.size && n === 0) }, h("summary", { text: t(word) }), h("p", { text: answer }))));
  }
}

function both(en: string, zh: string): string {
  return lang() === "zh" ? zh : en;
}

function what(kind: string, field: Field, state: State): string {
  const q = visible(field.q.tokens[state.q] ?? "", 20);
  if (kind === "gate") {
    return both(
      "There is no query or key here: the block looks at the whole map and gives each channel or place one number, which multiplies it.",
      "这里没有查询和键：模块查看整张特征图，为每个通道或位置给出一个相乘的数。");
  }
  if (kind === "pool") {
    return both(
      "Q is one learned vector (or the last state): what the pool looks for. K says of each token how well it answers, V is what is taken from it. The result is one vector for the whole text.",
      "Q 是一个学得的向量（或最后的状态）：池化要找的东西。K 表示每个词元多符合，V 是从中取走的内容。结果是代表整段文本的一个向量。");
  }
  if (kind === "cross") {
    return both(
      `Q is made from what is being written (“${q}”): what is needed next. K and V are made from the input: K says what each token offers, V is what is copied over.`,
      `Q 来自正在生成的内容（“${q}”）：接下来需要什么。K 和 V 来自输入：K 表示每个词元提供什么，V 是被取来的内容。`);
  }
  return both(
    `All three are made from the same tokens by three matrices. Q of “${q}” says what it looks for, K of each token what it can be found by, V what is taken from it. A score is how well a Q and a K agree.`,
    `三者都由同样的词元经三个矩阵得到。“${q}”的 Q 表示它要找什么，每个词元的 K 表示凭什么被找到，V 是从中取走的内容。分数就是 Q 与 K 的契合程度。`);
}

function axis(kind: string, normalizer: string, field: Field, state: State): string {
  let sum = field.rest(state.q);
  for (const w of field.row(state.q)) sum += w;
  if (kind === "gate" || normalizer === "sigmoid") {
    return both(
      `None: every weight is computed on its own. This row sums to ${sum.toFixed(2)}.`,
      `都不：每个权重独立计算。此行之和为 ${sum.toFixed(2)}。`);
  }
  return both(
    `Over the keys, once for each query and head: a row of the heat map, read across. This row sums to ${sum.toFixed(3)}; a column may sum to anything.`,
    `沿键归一化，每个查询、每个头各一次：即热图中的一行。此行之和为 ${sum.toFixed(3)}；一列之和可以是任意值。`);
}

function sink(field: Field): string {
  let first = 0;
  const rows = field.q.tokens.length;
  const step = Math.max(1, Math.floor(rows / 64));
  let seen = 0;
  for (let i = 0; i < rows; i += step) {
    first += field.row(i)[0];
    seen++;
  }
  const share = percent(first / Math.max(1, seen));
  return both(
    `Here ${share} of the weight goes to it on average. Weights must sum to 1, so a head that has nothing to do has to put them somewhere: a token that every query can see and whose value is small does no harm. It is called an attention sink; “× length of value” shows how little of it arrives.`,
    `这里平均有 ${share} 的权重落在它上面。权重之和必须为 1，无事可做的头总得把它放在某处：一个人人可见、值向量很小的词元最无害。这称为注意力汇聚（sink）；“× 值向量长度”显示实际传递得有多少。`);
}

function explains(doc: Doc): string {
  const more = doc.stored.effects
    ? both(` Here the bars under the small pictures show it: ${doc.stored.effects.name}.`, ` 小图下方的横条显示：${doc.stored.effects.name}。`)
    : "";
  return both(
    "It says what was mixed into this position in this layer, not what the answer depends on: values differ in length, layers mix further, and what is looked at may be ignored later. Taking a head away and watching the answer is the better test.",
    "它说明这一层把什么混入了这个位置，而不是答案取决于什么：值向量长短不一，后面的层继续混合，被注意的内容之后可能被忽略。去掉一个头再看答案，是更好的检验。") + more;
}

function colors(state: State): string {
  const scale = t(state.scale);
  return both(
    `Rows are queries, columns are keys. The darker (or in the dark theme the lighter) the cell, the larger the weight, on a ${scale} scale: lightness alone carries it, so it reads the same to every eye. In the lines, width and strength are the weight.`,
    `行是查询，列是键。格子越深（深色主题中越亮）权重越大，刻度为${scale}：只靠明度区分，任何人看到的都一样。连线的粗细和深浅即权重。`);
}
