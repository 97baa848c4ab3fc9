using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Tcpcp.Linux.Tests.Headers;

/// <summary>The assertions that follow from a type with <see cref="KernelHeaderAttribute"/>.</summary>
internal static partial class HeaderAssertions
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    public static IReadOnlyList<HeaderAssertion> Of(Type type) =>
        type.GetCustomAttribute<KernelHeaderAttribute>()?.Structure is { } structure ? OfStructure(type, structure) : [.. OfConstants(type)];

    /// <summary>The constants of a type that bear a name of the C headers: <c>SO_MARK</c>, <c>SYS_pidfd_open</c>.</summary>
    public static IEnumerable<FieldInfo> ConstantsOf(Type type) => type.GetFields(Declared | BindingFlags.Static)
        .Where(field => field.IsLiteral && IsCName().IsMatch(field.Name));

    public static long ValueOf(FieldInfo constant) => constant.GetRawConstantValue() switch
    {
        ulong value => unchecked((long)value),
        object value => Convert.ToInt64(value, CultureInfo.InvariantCulture),
        null => throw new InvalidOperationException($"{constant.Name} has no value."),
    };

    private static IEnumerable<HeaderAssertion> OfConstants(Type type) => ConstantsOf(type)
        .Select(constant => HeaderAssertion.Equal($"{type.Name}.{constant.Name}", constant.Name, ValueOf(constant)));

    private static List<HeaderAssertion> OfStructure(Type type, string structure)
    {
        // In the order of the source.
        FieldInfo[] fields = [.. type.GetFields(Declared | BindingFlags.Instance).OrderBy(field => field.MetadataToken)];
        string[] names = type.GetCustomAttribute<KernelHeaderAttribute>()!.Fields is { } given
            ? given.Split(' ')
            : [.. fields.Select(field => char.IsLower(field.Name[0]) ? field.Name : "")]; // a bit field has no offset
        Assert.True(fields.Length == names.Length, $"{type.Name} has {fields.Length} fields, and {names.Length} C names are given.");

        // Our part of a structure that grows is at fixed offsets; anything else is as long as the kernel's.
        string comparison = type.IsExplicitLayout ? ">=" : "==";
        List<HeaderAssertion> assertions = [new(type.Name, $"sizeof({structure}) {comparison} {Marshal.SizeOf(type)}")];
        foreach ((FieldInfo field, string name) in fields.Zip(names))
        {
            if (name.Length == 0)
                continue;
            assertions.Add(HeaderAssertion.Equal($"{type.Name}.{field.Name}", $"offsetof({structure}, {name})", Marshal.OffsetOf(type, field.Name)));
            if (!field.FieldType.IsPointer)
                assertions.Add(new($"{type.Name}.{field.Name}", $"sizeof((({structure} *)0)->{name}) {comparison} {SizeOf(field.FieldType)}"));
        }

        return assertions;
    }

    private static int SizeOf(Type type) => Marshal.SizeOf(type.IsEnum ? Enum.GetUnderlyingType(type) : type);

    [GeneratedRegex("^(SYS_[a-z0-9_]+|[A-Z][A-Z0-9]*_[A-Z0-9_]+|[A-Z][A-Z0-9]+)$", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex IsCName();
}
