using System.Security.Cryptography.X509Certificates;

namespace Tcpcp.Agent.Link;

/// <summary>The names by which agents know each other.</summary>
internal static class CertificateNames
{
    private const int MaxLength = 253; // RFC 1035, 2.3.4, as text

    /// <summary>The DNS names among a certificate's subject alternative names, in their order; without any, its common name.</summary>
    public static IReadOnlyList<string> Of(X509Certificate2 certificate)
    {
        string[] names = [.. certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(extension => extension.EnumerateDnsNames())];
        if (names.Length > 0)
            return names;
        string common = certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
        return common.Length > 0 ? [common] : [];
    }

    /// <summary>Names have no case.</summary>
    public static bool AreSame(string one, string other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    /// <returns>Null if it can be an agent's name, else why not, in one sentence.</returns>
    public static string? FindFault(string name) =>
        name.Length is 0 or > MaxLength ? $"An agent's name has 1 to {MaxLength} characters."
        : !name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' or '_') ? $"'{name}' is no agent's name: use letters, digits, '-', '_' and '.'."
        : name.Split('.').Any(label => label.Length is 0 or > 63 || label[0] == '-' || label[^1] == '-') ? $"'{name}' is no host name: a part between dots is empty, too long, or begins or ends with '-'."
        : System.Net.IPAddress.TryParse(name, out _) ? $"'{name}' is an address; an agent is known by a name."
        : null;
}
