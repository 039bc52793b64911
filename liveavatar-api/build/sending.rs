//! How the raw client sends: the generated functions build their request, and the crate does the rest. No rule names an operation.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{
    Expr, ExprLit, File, FnArg, GenericArgument, ImplItem, ImplItemFn, Item, Lit, LitStr, Pat, PathArguments,
    Stmt, Token, parse_quote,
};

use super::{last, result};

type Result<T> = std::result::Result<T, String>;

/// Splits each generated function: the request is built in a function of `Requests`, and sent by `crate::raw`.
///
/// The generated code parses the base URL in every call, adds a header that the service does not know, and copies the response's
/// headers.
pub(super) fn split(file: &mut File) -> Result<()> {
    let mut builders = Vec::new();
    for item in &mut file.items {
        let Item::Impl(item) = item else { continue };
        if item.trait_.is_some() || last(&item.self_ty).is_none_or(|owner| owner.ident != "Client") {
            continue;
        }
        // Its HTTP client follows redirects, to which it sends the credential, and its address can differ from the parsed one.
        item.items.retain(|member| {
            // An operation may have the same name.
            !matches!(member, ImplItem::Fn(function) if function.sig.ident == "new" && function.sig.asyncness.is_none())
        });
        for member in &mut item.items {
            let ImplItem::Fn(function) = member else { continue };
            if function.sig.asyncness.is_some() {
                let builder = builder(function)
                    .map_err(|error| format!("{}: the generated function {error}", function.sig.ident))?;
                send(function);
                builders.push(builder);
            } else if function.sig.ident == "new_with_client" {
                function.vis = parse_quote!(pub(crate));
            }
        }
    }
    // It requires hooks, which nothing calls any more.
    file.items.retain(|item| !matches!(item, Item::Const(item) if names(item, "ClientHooks")));
    file.items.push(parse_quote! {
        /// Builds the requests.
        pub(crate) struct Requests<'c>(&'c Client);
    });
    file.items.push(parse_quote! {
        impl ::std::ops::Deref for Requests<'_> {
            type Target = Client;

            #[inline]
            fn deref(&self) -> &Client {
                self.0
            }
        }
    });
    file.items.push(parse_quote!(impl Requests<'_> { #(#builders)* }));
    Ok(())
}

/// Makes a generated function send what its builder returns.
fn send(function: &mut ImplItemFn) {
    let id = &function.sig.ident;
    let name = id.to_string();
    let passed = function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => Some(&input.pat),
        FnArg::Receiver(_) => None,
    });
    function.block = parse_quote!({
        let request = Requests(self).#id(#(#passed),*)?;
        crate::raw::exchange(self, request, #name).await
    });
}

/// The part of a generated function that builds the request.
fn builder(function: &ImplItemFn) -> Result<ImplItemFn> {
    let error = error(function).ok_or("does not return a result")?;
    let mut statements = function.block.stmts.clone();
    let end = statements.iter().position(|statement| binding(statement).is_some_and(|name| name == "info"));
    statements.truncate(end.ok_or("does not pass on the name of its operation")?);
    let Some(Stmt::Local(request)) =
        statements.pop().filter(|last| binding(last).is_some_and(|it| it == "request"))
    else {
        return Err("does not build a request last".to_owned());
    };
    let mut request = *request.init.ok_or("does not build a request")?.expr;

    let url = statements.iter_mut().find(|statement| binding(statement).is_some_and(|name| name == "url"));
    address(url.ok_or("has no address")?)?;
    statements.retain(|statement| !sets_version(statement));
    let mut map = statements.iter().filter(|statement| names(statement, "header_map"));
    if map.next().is_some() && map.next().is_none() {
        statements.retain(|statement| !names(statement, "header_map"));
        remove_headers(&mut request);
    }

    let (signature, id) = (&function.sig, &function.sig.ident);
    let (generics, inputs) = (&signature.generics, &signature.inputs);
    Ok(parse_quote! {
        pub(crate) fn #id #generics(#inputs) -> Result<::reqwest::Request, #error> {
            #(#statements)*
            Ok(#request)
        }
    })
}

/// The error type in the result of a function.
fn error(function: &ImplItemFn) -> Option<&GenericArgument> {
    match &last(result(function)?)?.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.get(1),
        _ => None,
    }
}

/// Makes the address of a path relative to the base URL that the client has parsed.
fn address(statement: &mut Stmt) -> Result<()> {
    let Stmt::Local(local) = &*statement else { return Err("has no address".to_owned()) };
    let Some(Expr::Macro(text)) = local.init.as_ref().map(|init| &*init.expr) else {
        return Err("does not format its address".to_owned());
    };
    let arguments = text.mac.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
    let mut arguments = arguments.map_err(|error| error.to_string())?.into_iter();
    let (Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })), Some(base)) =
        (arguments.next(), arguments.next())
    else {
        return Err("does not format its address from the base URL".to_owned());
    };
    let (text, span) = (text.value(), text.span());
    let path = text.strip_prefix("{}").filter(|_| names(&base, "baseurl"));
    let path = LitStr::new(path.ok_or("does not begin its address with the base URL")?, span);
    *statement = parse_quote!(let url = crate::raw::address(self, format_args!(#path #(, #arguments)*)););
    Ok(())
}

/// Removes `.headers(header_map)` from a chain of calls.
fn remove_headers(chain: &mut Expr) {
    match chain {
        Expr::MethodCall(call) if call.method == "headers" && names(&call.args, "header_map") => {
            *chain = (*call.receiver).clone();
        }
        Expr::MethodCall(call) => remove_headers(&mut call.receiver),
        Expr::Try(expression) => remove_headers(&mut expression.expr),
        _ => {}
    }
}

/// Whether a statement adds the header with the document's version, which the service does not know.
fn sets_version(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Expr(Expr::MethodCall(call), _)
        if call.method == "append" && names(&call.args, "api_version"))
}

/// The name that a `let` statement binds.
fn binding(statement: &Stmt) -> Option<String> {
    match statement {
        Stmt::Local(local) => match &local.pat {
            Pat::Ident(name) => Some(name.ident.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a word occurs in the code.
fn names(code: &impl ToTokens, word: &str) -> bool {
    code.to_token_stream().to_string().contains(word)
}
