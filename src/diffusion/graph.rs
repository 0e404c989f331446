//! A network as a list of kernel calls over numbered tensors: shapes, weights and work are known before anything is
//! computed or loaded.

use gradus_cpu::nn::conv::{COLUMNS, NOTHING, Shape};
use gradus_cpu::nn::math::Activation;
use gradus_cpu::nn::pointwise::{Combination, TERMS};
use gradus_cpu::nn::{attention, norm};

use super::weights::{Part, Spec};
use crate::kernels::nn::{self, Call};
use crate::value::Error;

/// The sides, channels and rows that a tensor may have at the most.
const MOST_FLOATS: usize = 1 << 30;

/// Up to so many rows of a picture a group is normalised at once, else in two calls over chunks of them: 13 times as fast
/// on a processor at 65536 rows of 128 channels.
const ROWS_AT_ONCE: usize = 4096;
/// The chunks; no more than a workgroup's invocations.
const CHUNKS: usize = 64;

/// A tensor of a graph: pictures × height × width rows of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The number inside of its graph.
    pub id: usize,
    /// Pictures (or texts) of the batch.
    pub pictures: usize,
    /// Rows of pixels; 1 for texts.
    pub height: usize,
    /// Pixels of a row; tokens of a text.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// Channels of a head when each head is filled up to a multiple of 4 by itself; else all of them.
    pub head: usize,
    /// Whether this is a text: PyTorch has its channels last, too.
    pub text: bool,
}

impl Node {
    /// Rows: one for each pixel of each picture.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.pictures * self.height * self.width
    }

    /// Floats from row to row.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.channels / self.head * self.head.next_multiple_of(4)
    }

    /// For each float of a row its channel, or `NOTHING`.
    fn map(&self) -> impl Iterator<Item = u32> {
        let (head, padded) = (self.head, self.head.next_multiple_of(4));
        (0..self.lanes()).map(move |lane| match lane % padded {
            inside if inside < head => (lane / padded * head + inside) as u32,
            _ => NOTHING,
        })
    }
}

/// What a call is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// A tensor.
    Node(usize),
    /// A weight.
    Weight(usize),
    /// Nothing: what stands there is not read. The number tells several apart.
    Nothing(usize),
}

/// One call of a graph; its last binding is the result.
#[derive(Clone, Debug)]
pub struct Step {
    /// What runs; how a convolution's weights are stored is known with the weights.
    pub work: Work,
    /// What it is bound to.
    pub bind: Vec<Bind>,
    /// Floating-point operations without padding, for reports.
    pub operations: f64,
}

/// What a step runs.
#[derive(Clone, Debug)]
pub enum Work {
    /// A convolution or product.
    Conv(Shape),
    /// An attention.
    Attention(attention::Shape),
    /// Another call.
    Call(Call),
}

/// How a convolution or product is made; begin from [`Conv::linear`] or [`Conv::square`].
#[derive(Clone, Debug)]
pub struct Conv<'a> {
    /// The weights' name.
    pub name: &'a str,
    /// Channels of the result.
    pub channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// The step.
    pub stride: usize,
    /// Pixels beyond the upper and left edge.
    pub padding: usize,
    /// Pixels beyond the lower and right edge.
    pub padding_after: usize,
    /// The size to which the source is doubled by its nearest neighbours first.
    pub grow: Option<[usize; 2]>,
    /// Whether there is a bias.
    pub bias: bool,
    /// What is applied at the end.
    pub activation: Activation,
    /// What is added before: as many rows as the result's, or one for each picture, or one.
    pub add: Option<Node>,
}

impl<'a> Conv<'a> {
    /// A linear layer with a bias.
    #[must_use]
    pub fn linear(name: &'a str, channels: usize) -> Self {
        Self {
            name,
            channels,
            kernel: 1,
            stride: 1,
            padding: 0,
            padding_after: 0,
            grow: None,
            bias: true,
            activation: Activation::None,
            add: None,
        }
    }

    /// A 3×3 convolution with a bias that keeps the size.
    #[must_use]
    pub fn square(name: &'a str, channels: usize) -> Self {
        Self { kernel: 3, padding: 1, padding_after: 1, ..Self::linear(name, channels) }
    }
}

/// A network in the making.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// All tensors.
    pub nodes: Vec<Node>,
    /// All calls in order.
    pub steps: Vec<Step>,
    /// All weights, numbered as the steps bind them.
    pub weights: Vec<Spec>,
    /// Tensors that come from outside.
    pub inputs: Vec<Node>,
    /// Tensors that are read at the end.
    pub outputs: Vec<Node>,
    /// Tensors by the path of the module that makes them, for comparisons.
    pub names: Vec<(String, Node)>,
    fault: Option<&'static str>,
}

impl Graph {
    /// A tensor as the one given, but for size and channels.
    fn node(&mut self, like: Node, [height, width]: [usize; 2], channels: usize, head: usize) -> Node {
        let mut node = Node { id: self.nodes.len(), height, width, channels, head: head.max(1), ..like };
        let floats = [node.pictures, height, width, node.lanes()].iter().try_fold(1usize, |all, &n| all.checked_mul(n));
        if floats.is_none_or(|floats| floats == 0 || floats > MOST_FLOATS) {
            self.fail("a tensor would be empty or have over 2^30 numbers");
            // Whatever is made of it has countable sizes, also where they have 32 bits.
            node.pictures = 0;
        }
        self.nodes.push(node);
        node
    }

    /// Pictures that come from outside.
    pub fn input(&mut self, pictures: usize, size: [usize; 2], channels: usize) -> Node {
        let like = Node { id: 0, pictures, height: 0, width: 0, channels, head: channels, text: false };
        let node = self.node(like, size, channels, channels);
        self.inputs.push(node);
        node
    }

    /// Texts that come from outside.
    pub fn input_text(&mut self, texts: usize, tokens: usize, channels: usize) -> Node {
        let like = Node { id: 0, pictures: texts, height: 0, width: 0, channels, head: channels, text: true };
        let node = self.node(like, [1, tokens], channels, channels);
        self.inputs.push(node);
        node
    }

    /// Marks a tensor as read at the end.
    pub fn output(&mut self, node: Node) {
        self.outputs.push(node);
    }

    /// Notes which module made a tensor.
    pub fn name(&mut self, path: &str, node: Node) {
        self.names.push((path.to_owned(), node));
    }

    /// What was asked for that cannot be: told by [`Graph::finish`].
    pub fn fail(&mut self, why: &'static str) {
        self.fault.get_or_insert(why);
    }

    /// The finished graph.
    ///
    /// # Errors
    /// When a size was asked for that cannot be.
    pub fn finish(self) -> Result<Self, Error> {
        match self.fault {
            None => Ok(self),
            Some(why) => Err(Error::new(format!("This model cannot run at this size: {why}."))),
        }
    }

    /// Floating-point operations, without padding.
    #[must_use]
    pub fn operations(&self) -> f64 {
        self.steps.iter().map(|step| step.operations).sum()
    }

    fn push(&mut self, work: Work, bind: Vec<Bind>, operations: f64) {
        self.steps.push(Step { work, bind, operations });
    }

    fn call(&mut self, call: Call, bind: Vec<Bind>) {
        let operations = call.operations();
        self.push(Work::Call(call), bind, operations);
    }

    /// A convolution or product of a tensor.
    pub fn conv(&mut self, source: Node, how: &Conv<'_>) -> Node {
        self.conv_of(source, None, how)
    }

    /// The same over the channels of two tensors, as if they were one.
    pub fn conv_of(&mut self, source: Node, second: Option<Node>, how: &Conv<'_>) -> Node {
        let part = Part { name: how.name.to_owned(), bias: how.bias, outer: how.channels };
        self.product(source, second, how, vec![part], how.channels)
    }

    /// Products of one tensor with several matrices of equal size, side by side; a head has `head` channels.
    pub fn heads(&mut self, source: Node, names: &[String], channels: usize, head: usize, bias: bool) -> Node {
        let parts = names.iter().map(|name| Part { name: name.clone(), bias, outer: channels }).collect();
        let how = Conv { bias, ..Conv::linear("", channels * names.len()) };
        self.product(source, None, &how, parts, head)
    }

    fn product(&mut self, source: Node, second: Option<Node>, how: &Conv<'_>, parts: Vec<Part>, head: usize) -> Node {
        let grown = how.grow.unwrap_or([source.height, source.width]);
        let reach = |side: usize| (side + how.padding + how.padding_after).checked_sub(how.kernel);
        let [Some(below), Some(right)] = grown.map(reach) else {
            self.fail("a picture is smaller than a kernel");
            return source;
        };
        let size = [below / how.stride + 1, right / how.stride + 1];
        let geglu = how.activation == Activation::Geglu;
        let channels = how.channels / if geglu { 2 } else { 1 };
        let result = self.node(source, size, channels, head.min(channels));
        // The packed columns: as the result's floats lie, or four values and their four gates in turn.
        let mut columns: Vec<u32> = if geglu {
            let half = result.channels as u32;
            let lanes = 0..result.lanes() as u32;
            let gate = |c: u32, shift: u32| if c < half { c + shift } else { NOTHING };
            let four = |first: u32| (0..8).map(move |n| gate(first + n % 4, if n < 4 { 0 } else { half }));
            lanes.step_by(4).flat_map(four).collect()
        } else {
            result.map().collect()
        };
        columns.resize(columns.len().next_multiple_of(COLUMNS), NOTHING);
        let mut rows: Vec<u32> = source.map().collect();
        let mut inner = source.channels;
        if let Some(second) = second {
            let shift = |channel| if channel == NOTHING { NOTHING } else { channel + source.channels as u32 };
            rows.extend(second.map().map(shift));
            inner += second.channels;
        }
        let add_rows = how.add.map_or(0, |add| result.rows() / add.rows().max(1));
        let shape = Shape {
            rows: result.rows(),
            panels: columns.len() / COLUMNS,
            width: result.lanes(),
            source: grown,
            result: size,
            kernel: [how.kernel; 2],
            stride: how.stride,
            padding: [how.padding; 2],
            upsample: how.grow.is_some().into(),
            channels: [source.lanes(), second.map_or(0, |second| second.lanes())],
            activation: Activation::ALL.iter().position(|kind| *kind == how.activation).unwrap_or(0) as u32,
            add_rows,
        };
        let taps = how.kernel * how.kernel;
        self.weights.push(Spec::Packed { parts, inner, taps, rows, columns });
        let bind = vec![
            Bind::Node(source.id),
            second.map_or(Bind::Nothing(0), |second| Bind::Node(second.id)),
            Bind::Weight(self.weights.len() - 1),
            how.add.map_or(Bind::Nothing(1), |add| Bind::Node(add.id)),
            Bind::Node(result.id),
        ];
        let operations = 2.0 * result.rows() as f64 * (inner * taps) as f64 * how.channels as f64;
        self.push(Work::Conv(shape), bind, operations);
        result
    }

    /// A group normalisation over the channels of one or two tensors.
    pub fn group_norm(
        &mut self,
        source: Node,
        second: Option<Node>,
        name: &str,
        (groups, epsilon): (usize, f32),
        silu: bool,
    ) -> Node {
        let channels = source.channels + second.map_or(0, |second| second.channels);
        if groups == 0 || !channels.is_multiple_of(groups) {
            self.fail("the channels do not divide into norm_num_groups");
            return source;
        }
        let result = self.node(source, [source.height, source.width], channels, channels);
        let shape = norm::Group {
            pictures: source.pictures,
            rows: source.height * source.width,
            groups,
            channels,
            first: source.channels,
            widths: [source.lanes(), second.map_or(0, |second| second.lanes())],
            width: result.lanes(),
            epsilon,
            silu,
            ..norm::Group::default()
        };
        let affine = self.affine(name, channels, result.lanes());
        let other = second.map_or(Bind::Nothing(0), |second| Bind::Node(second.id));
        let bind = |statistics, to: Node| vec![Bind::Node(source.id), other, affine, statistics, Bind::Node(to.id)];
        if shape.rows <= ROWS_AT_ONCE {
            self.call(nn::group_norm(&shape), bind(Bind::Nothing(1), result));
            return result;
        }
        let statistics = self.node(source, [CHUNKS, groups], norm::STATISTICS, norm::STATISTICS);
        let sums = norm::Group { part: norm::Part::Sums, chunks: CHUNKS, ..shape };
        self.call(nn::group_norm(&sums), bind(Bind::Nothing(1), statistics));
        let apply = norm::Group { part: norm::Part::Apply, ..sums };
        self.call(nn::group_norm(&apply), bind(Bind::Node(statistics.id), result));
        result
    }

    /// A layer normalisation.
    pub fn layer_norm(&mut self, source: Node, name: &str, epsilon: f32) -> Node {
        let channels = source.channels;
        let result = self.node(source, [source.height, source.width], channels, channels);
        let affine = self.affine(name, channels, result.lanes());
        let call = nn::layer_norm(source.rows(), channels, result.lanes(), epsilon);
        self.call(call, vec![Bind::Node(source.id), affine, Bind::Node(result.id)]);
        result
    }

    fn affine(&mut self, name: &str, channels: usize, width: usize) -> Bind {
        self.weights.push(Spec::Affine { name: name.to_owned(), channels, width });
        Bind::Weight(self.weights.len() - 1)
    }

    /// Attention of queries over keys and values (side by side in one tensor), each of the queries' channels.
    pub fn attention(&mut self, queries: Node, pairs: Node, causal: bool) -> Node {
        let result = self.node(queries, [queries.height, queries.width], queries.channels, queries.head);
        let (heads, head) = (queries.channels / queries.head, queries.head);
        let shape = attention::Shape {
            pictures: queries.pictures,
            heads,
            size: head.next_multiple_of(4),
            queries: queries.height * queries.width,
            keys: pairs.height * pairs.width,
            scale: 1.0 / (head as f32).sqrt(),
            causal,
        };
        if shape.size > nn::WIDEST_HEAD {
            self.fail("an attention head has over 512 channels");
        }
        let operations = 4.0 * queries.rows() as f64 * shape.keys as f64 * queries.channels as f64;
        let bind = vec![Bind::Node(queries.id), Bind::Node(pairs.id), Bind::Node(result.id)];
        self.push(Work::Attention(shape), bind, operations);
        result
    }

    /// The same numbers as another tensor, for a call that would take one twice: nothing is bound twice.
    pub fn copy(&mut self, source: Node) -> Node {
        let result = self.node(source, [source.height, source.width], source.channels, source.head);
        let one = Combination { factors: [1.0, 0.0, 0.0, 0.0, 0.0], ..Combination::default() };
        let mut bind = vec![Bind::Node(source.id)];
        bind.extend((1..TERMS).map(|number| Bind::Nothing(number - 1)));
        bind.push(Bind::Node(result.id));
        self.call(nn::combine(source.rows() * source.lanes(), &one), bind);
        result
    }

    /// tanh(x / limit) · limit.
    pub fn squash(&mut self, source: Node, limit: f32) -> Node {
        let result = self.node(source, [source.height, source.width], source.channels, source.head);
        let call = nn::squash(source.rows() * source.lanes(), limit);
        self.call(call, vec![Bind::Node(source.id), Bind::Node(result.id)]);
        result
    }
}
